"""What a checkpoint may contain: a check for each field, of which the first that fails is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from breakout_a3c.config import MAX_TEXT, is_plain
from breakout_a3c.errors import UserError
from breakout_a3c.games.batch import MAX_COUNT
from breakout_a3c.saving.archive import MAX_BYTES
from breakout_a3c.saving.run_names import RUN_NAME

MAX_PLAY_BYTES = MAX_BYTES // 2  # 43 KB a game
MAX_PLAY_STATES = 512  # as many as there may be actor-learners
VECTORS = ("parameters", "averaged_parameters", "square_average", "gradient_average")
PRECISIONS = ("", "float32", "bfloat16")


def is_vector(value: Any, dtype: torch.dtype) -> bool:
    """Return whether ``value`` is a plain vector, of which each number stands in memory."""
    return (
        type(value) is Tensor
        and value.device.type == "cpu"
        and value.layout == torch.strided
        and not value.requires_grad
        and value.dtype == dtype
        and value.dim() == 1
        and value.is_contiguous()  # otherwise one number in the file may stand for many
    )


def is_finite_vector(value: Any) -> bool:
    """Return whether ``value`` is a vector of finite float32 numbers."""
    return is_vector(value, torch.float32) and bool(torch.isfinite(value).all())


def is_number(value: object) -> bool:
    """Return whether ``value`` is a plain number of a size that counts exactly."""
    return isinstance(value, int | float) and abs(value) < MAX_COUNT


def is_count(value: object) -> bool:
    """Return whether ``value`` counts something."""
    return isinstance(value, int) and 0 <= value < MAX_COUNT


def are_settings(value: object) -> bool:
    """Return whether ``value`` holds settings by name."""
    return isinstance(value, dict) and all(
        isinstance(name, str) and len(name) < MAX_TEXT and is_plain(each) for name, each in value.items()
    )


def are_numbers(value: object) -> bool:
    """Return whether ``value`` lists numbers."""
    return isinstance(value, list) and all(map(is_number, value))


def are_play_states(value: object) -> bool:
    """Return whether ``value`` lists states of games, as many and as large as there may be."""
    return (
        isinstance(value, list)
        and len(value) <= MAX_PLAY_STATES
        and all(is_vector(state, torch.uint8) for state in value)
        and sum(map(len, value)) <= MAX_PLAY_BYTES
    )


# Checks of a field by its value and all others, which have passed theirs if they stand above it.
CHECKS: dict[str, Callable[[Any, dict[str, Any]], bool]] = {
    "parameters": lambda value, _: is_finite_vector(value),
    "averaged_parameters": lambda value, content: (
        is_finite_vector(value) and value.shape == content["parameters"].shape
    ),
    "square_average": lambda value, content: (
        is_finite_vector(value) and value.shape == content["parameters"].shape and bool((value >= 0).all())
    ),
    "gradient_average": lambda value, content: (
        is_finite_vector(value) and len(value) in (0, len(content["parameters"]))
    ),
    "config": lambda value, _: are_settings(value),
    "run": lambda value, _: isinstance(value, str) and RUN_NAME.fullmatch(value) is not None,
    "steps": lambda value, _: is_count(value),
    "updates": lambda value, _: is_count(value),
    "games": lambda value, _: is_count(value),
    "minutes": lambda value, _: is_number(value) and value >= 0,
    "best_evaluation": lambda value, _: isinstance(value, float | None),
    "recent_returns": lambda value, _: are_numbers(value),
    "recent_lengths": lambda value, _: are_numbers(value),
    "best_return": lambda value, _: isinstance(value, int | float) and value < MAX_COUNT,
    "play_states": lambda value, _: are_play_states(value),
    "precision": lambda value, _: isinstance(value, str) and value in PRECISIONS,
    "command": lambda value, _: isinstance(value, str),
    "versions": lambda value, _: isinstance(value, dict),
}


def check_content(content: dict[str, Any], path: Path) -> None:
    """Raise a UserError that names the first field whose value no training writes."""
    for name, check in CHECKS.items():
        if not check(content[name], content):
            what = name.replace("_", " ")
            raise UserError(f"{path} holds values that no training writes ({what}): use another checkpoint.")
