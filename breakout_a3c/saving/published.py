"""Published models: weights under their layers' names, in a file that runs no code.

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
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.saving.archive import MAX_BYTES
from breakout_a3c.saving.checkpoints import Checkpoint
from breakout_a3c.saving.contents import are_settings, check_content
from breakout_a3c.saving.files import write_atomically
from breakout_a3c.saving.model_names import require_there
from breakout_a3c.saving.other_programs import first_bytes, kind_of, refusal
from breakout_a3c.saving.retired_settings import from_dict
from breakout_a3c.saving.weights import flat_weights, named_weights, network_of

MAX_TENSORS = 100  # the largest network has 20
FLAT_TENSOR = "parameters"  # the one tensor of models before 2026-11-27, in the layout of LocalParameters
TRAINING = ("run", "steps", "updates", "games", "minutes", "precision", "command", "versions")


def save_model(checkpoint: Checkpoint, evaluation: dict[str, Any], path: Path) -> str:
    """Write a checkpoint's weights as a model, atomically.

    Args:
        checkpoint: What to publish.
        evaluation: What ``play.py --json`` printed of it.
        path: Ends in ``.safetensors``.

    Returns:
        The file's SHA-256, in hexadecimal.

    Raises:
        ValueError: If the weights do not fit the network.
        OSError: If the folder cannot be written.
    """
    header = {
        "config": json.dumps(checkpoint.config.to_dict()),
        "training": json.dumps({name: getattr(checkpoint, name) for name in TRAINING}),
        "evaluation": json.dumps(evaluation),
    }
    network = network_of(checkpoint.config)
    found, needed = len(checkpoint.averaged_parameters), sum(each.numel() for each in network.parameters())
    if found != needed:
        raise ValueError(f"the checkpoint has {found} parameters, and its network {needed}")
    tensors = named_weights(checkpoint.averaged_parameters, network)
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=header))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_model(path: Path) -> Checkpoint:
    """Read a model as a checkpoint whose optimizer's averages are zero.

    Raises:
        UserError: If it is missing, damaged, or not one of this program's.
    """
    require_there(path)
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} is larger than any model of this program: give the path of another one.")
    content, tensors = read_model(path)
    config = from_dict(content["config"], str(path))
    parameters = flat_of(tensors, config, path)
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
    return Checkpoint(**(content | {"config": config}))


def evaluation_of(path: Path) -> dict[str, Any]:
    """Return what the header of a model, which ``load_model`` has read, says of its evaluation.

    Raises:
        UserError: If it says nothing.
    """
    with safe_open(path, "pt") as file:
        header = file.metadata() or {}
    try:
        evaluation = json.loads(header["evaluation"])
        numbers = evaluation["mean"], evaluation["std"], evaluation["episodes"], evaluation["sticky"]
        if not all(number is None or math.isfinite(number) for number in numbers):
            raise ValueError("no score is infinite")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} does not say how it was evaluated: publish it again with --evaluation.") from error
    return dict(evaluation)


def read_model(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what the header of a model says of its training, with its settings, and its tensors.

    Raises:
        UserError: If it is damaged, or not one of this program's.
    """
    damaged = f"{path} is damaged or not a model of this program: fetch it again."
    is_ours = True
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            is_ours = bool(header.keys() & {"training", "config"})
            names = list(file.keys())
            if len(names) > MAX_TENSORS:
                raise ValueError("no network has so many layers")
            tensors = {name: file.get_tensor(name) for name in names}
        training = json.loads(header["training"])
        content = {name: training[name] for name in TRAINING} | {"config": json.loads(header["config"])}
    except Exception as error:
        if kind := kind_of(first_bytes(path)) if is_ours else "a model of another program":
            raise refusal(path, kind) from error
        raise UserError(damaged) from error
    if not are_settings(content["config"]):
        raise UserError(damaged)
    return content, tensors


def flat_of(tensors: dict[str, Tensor], config: TrainConfig, path: Path) -> Tensor:
    """Return the tensors of a model as one vector ``(P,)``, whichever form the file has.

    Raises:
        UserError: If they are not those of its network.
    """
    if set(tensors) == {FLAT_TENSOR}:
        return tensors[FLAT_TENSOR]
    try:
        return flat_weights(tensors, network_of(config))
    except ValueError as error:
        raise UserError(f"{path} holds other layers than its network has ({error}): fetch it again.") from error
