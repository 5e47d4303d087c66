"""Published models: ``python -m breakout_a3c publish CHECKPOINT models/NAME.safetensors``.

A model is a checkpoint without what only training needs. Its header tells in JSON how it was trained
and how it was evaluated; its card, a Markdown file beside it, tells a person.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from breakout_a3c.errors import UserError
from breakout_a3c.saving.archive import MAX_BYTES
from breakout_a3c.saving.checkpoints import Checkpoint
from breakout_a3c.saving.contents import check_content
from breakout_a3c.saving.files import write_atomically
from breakout_a3c.saving.retired_settings import from_dict

SUFFIX = ".safetensors"
TENSOR = "parameters"
TRAINING = ("run", "steps", "updates", "games", "minutes", "precision", "command", "versions")


def save_model(checkpoint: Checkpoint, evaluation: dict[str, Any], path: Path) -> str:
    """Write a checkpoint's weights as a model, atomically.

    Args:
        checkpoint: What to publish.
        evaluation: What ``play.py --json`` printed of it.
        path: Ends in ``.safetensors``.

    Returns:
        The file's SHA-256, in hexadecimal.
    """
    header = {
        "config": json.dumps(checkpoint.config.to_dict()),
        "training": json.dumps({name: getattr(checkpoint, name) for name in TRAINING}),
        "evaluation": json.dumps(evaluation),
    }
    tensors = {TENSOR: checkpoint.averaged_parameters}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=header))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_model(path: Path) -> Checkpoint:
    """Read a model as a checkpoint whose RMSprop statistics are zero.

    Raises:
        UserError: If it is missing, damaged, or not one of this program's.
    """
    if not path.is_file():
        raise UserError(f"there is no model at {path}: give the path of one.")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} is larger than any model of this program: give the path of another one.")
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            parameters = file.get_tensor(TENSOR)
        training = json.loads(header["training"])
        content = {name: training[name] for name in TRAINING} | {"config": json.loads(header["config"])}
    except Exception as error:
        raise UserError(f"{path} is damaged or not a model of this program: fetch it again.") from error
    content |= {
        "parameters": parameters,
        "averaged_parameters": parameters,
        "square_average": torch.zeros_like(parameters),
        "gradient_average": torch.zeros(0),
        "best_evaluation": None,
        "recent_returns": [],
        "recent_lengths": [],
        "best_return": -math.inf,
        "play_states": [],
    }
    check_content(content, path)
    content["config"] = from_dict(content["config"], str(path))
    return Checkpoint(**content)
