"""Checkpoints: written atomically, and checked before they are used.

A file is complete or absent: it is written beside its place, flushed to the disk, and renamed. It
holds tensors, numbers, strings and lists of them only, so that loading one can run no code.
"""

import io
import math
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.saving.archive import checked_archive
from breakout_a3c.saving.contents import VECTORS, check_content
from breakout_a3c.saving.files import write_atomically
from breakout_a3c.saving.other_programs import kind_of, refusal
from breakout_a3c.saving.retired_settings import from_dict

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a training needs to go on, and a player to play."""

    config: TrainConfig
    run: str
    parameters: Tensor  # (P,) float32, in the layout of learning.local_parameters
    averaged_parameters: Tensor  # (P,) float32: those that play
    square_average: Tensor  # (P,) float32
    gradient_average: Tensor  # (P,) float32 of Adam, otherwise (0,)
    steps: int
    updates: int
    games: int
    minutes: float
    best_evaluation: float | None  # mean score that chose best.pt
    recent_returns: list[float] = field(default_factory=list)  # of the last games, oldest first
    recent_lengths: list[int] = field(default_factory=list)
    best_return: float = -math.inf  # of all games
    play_states: list[Tensor] = field(default_factory=list)  # (n,) uint8 an actor-learner: where its games stand
    precision: str = ""  # that "auto" resolved to
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write ``checkpoint`` to ``path`` atomically.

    Raises:
        ValueError: If a parameter is not finite; nothing is written.
        OSError: If the folder cannot be written.
    """
    for name in VECTORS:
        if not torch.isfinite(getattr(checkpoint, name)).all():
            raise ValueError(f"the {name} are not finite, so {path.name} was not written")
    content = {spec.name: getattr(checkpoint, spec.name) for spec in fields(Checkpoint)}
    content |= {"format": FORMAT, "config": checkpoint.config.to_dict()}
    # By way of memory: on a full disk torch raises a RuntimeError, Python an OSError.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, lambda temporary: temporary.write_bytes(buffer.getbuffer()))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, trusting nothing in it.

    Raises:
        UserError: If it is missing, damaged, or not one of this program's.
    """
    archive = checked_archive(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickles that are not torch's
            content = torch.load(archive, map_location="cpu", weights_only=True)
    except Exception as error:
        with zipfile.ZipFile(archive) as copy:
            kind = kind_of(b"", copy.namelist()) or "a file of PyTorch whose objects could run code"
        raise refusal(path, kind) from error
    if not isinstance(content, dict) or not is_format(content.pop("format", None)):
        raise refusal(path, kind_of_content(content))
    names = {spec.name for spec in fields(Checkpoint)}
    if set(content) != names:
        raise UserError(f"{path} was written by another version of this program: play it with that version.")
    check_content(content, path)
    content["config"] = from_dict(content["config"], str(path))
    return Checkpoint(**content)


def kind_of_content(content: object) -> str:
    """Return what a file of PyTorch holds, in a few words."""
    if isinstance(content, Mapping) and content and all(isinstance(value, Tensor) for value in content.values()):
        return "a state_dict of PyTorch"
    return "a file of PyTorch"


def is_format(value: object) -> bool:
    """Return whether ``value`` is this program's format: a tensor would compare to a tensor."""
    return isinstance(value, int) and value == FORMAT


def check_fits(checkpoint: Checkpoint, needed: int, path: Path) -> None:
    """Raise a UserError unless the checkpoint has as many parameters as its network needs."""
    found = checkpoint.parameters.numel()
    if found != needed:
        raise UserError(
            f"{path} has {found} parameters, but the network {checkpoint.config.network.name} for "
            f"{checkpoint.config.game.name} has {needed}: it belongs to another game or network."
        )
