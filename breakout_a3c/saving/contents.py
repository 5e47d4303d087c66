"""What a checkpoint may contain."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from breakout_a3c.errors import UserError
from breakout_a3c.games.batch import MAX_COUNT
from breakout_a3c.saving.archive import MAX_BYTES

MAX_PLAY_BYTES = MAX_BYTES // 2  # 43 KB a game
MAX_PLAY_STATES = 512  # as many as there may be actor-learners
MAX_NAME = 100  # characters
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VECTORS = ("parameters", "averaged_parameters", "square_average", "gradient_average")
PRECISIONS = ("float32", "bfloat16")


def check_content(content: dict[str, Any], path: Path) -> None:
    """Raise a UserError unless the fields are of their types and the numbers finite."""
    vectors = [content[name] for name in VECTORS]
    number = (int, float)
    valid = (
        all(is_vector(v, torch.float32) for v in vectors)
        and all(bool(torch.isfinite(v).all()) for v in vectors)
        and vectors[0].shape == vectors[1].shape == vectors[2].shape
        and len(vectors[3]) in (0, len(vectors[0]))
        and bool((vectors[2] >= 0).all())
        and isinstance(content["config"], dict)
        and all(isinstance(key, str) and len(key) < MAX_NAME for key in content["config"])
        and all(is_plain(value) for value in content["config"].values())
        and all(isinstance(content[name], int) for name in ("steps", "updates", "games"))
        and isinstance(content["minutes"], number)
        and all(0 <= content[name] < MAX_COUNT for name in ("steps", "updates", "games", "minutes"))
        and isinstance(content["best_evaluation"], float | None)
        and isinstance(content["best_return"], number)
        and content["best_return"] < MAX_COUNT
        and isinstance(content["play_states"], list)
        and all(is_vector(v, torch.uint8) for v in content["play_states"])
        and len(content["play_states"]) <= MAX_PLAY_STATES
        and sum(map(len, content["play_states"])) <= MAX_PLAY_BYTES
        and all(isinstance(content[name], str) for name in ("run", "precision", "command"))
        and RUN_NAME.fullmatch(content["run"]) is not None
        and content["precision"] in ("", *PRECISIONS)
        and all(isinstance(content[name], list) for name in ("recent_returns", "recent_lengths"))
        and all(isinstance(value, number) for value in content["recent_returns"] + content["recent_lengths"])
        and all(abs(value) < MAX_COUNT for value in content["recent_returns"] + content["recent_lengths"])
        and isinstance(content["versions"], dict)
    )
    if not valid:
        raise UserError(f"{path} holds values that no training writes: use another checkpoint.")


def is_vector(value: object, dtype: torch.dtype) -> bool:
    """Return whether ``value`` is a plain vector, of which each number stands in memory."""
    return (
        type(value) is Tensor
        and value.device.type == "cpu"
        and value.layout == torch.strided
        and not value.requires_grad
        and value.dtype == dtype
        and value.dim() == 1
        and value.is_contiguous()  # else one number in the file may stand for many
    )


def is_plain(value: object) -> bool:
    """Return whether ``value`` may be a setting: a short string, a number that fits 64 bits, or None."""
    if isinstance(value, str):
        return len(value) < MAX_NAME
    return value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)
