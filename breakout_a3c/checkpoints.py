"""Checkpoints: written atomically, checked before they are believed, rotated.

A file is complete or absent: it is written beside its place, flushed to the disk, and renamed. It
holds tensors, numbers, strings and lists of them only, so that loading one can run no code.
"""

import fcntl
import io
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig, from_dict
from breakout_a3c.environments import make_environment
from breakout_a3c.errors import UserError
from breakout_a3c.networks import ActorCritic, resolve_precision
from breakout_a3c.rollout import MAX_COUNT, make_network
from breakout_a3c.shared import LocalParameters

FORMAT = 1
MAX_BYTES = 1 << 28  # the largest network here takes 14 MB
MAX_PLAY_BYTES = MAX_BYTES // 2  # 43 KB a game
MAX_INDEX_BYTES = 1 << 20  # of the archive's directory, and of the pickle, which holds all but the tensors
MAX_PLAY_STATES = 512  # as many as there may be actor-learners
MAX_NAME = 100  # characters
LEFT_SECONDS = 60.0
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VECTORS = ("parameters", "averaged_parameters", "square_average", "gradient_average")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a training needs to go on, and a player to play."""

    config: TrainConfig
    run: str
    parameters: Tensor  # (P,) float32, in the layout of shared.LocalParameters
    averaged_parameters: Tensor  # (P,) float32: those that play
    square_average: Tensor  # (P,) float32
    gradient_average: Tensor  # (P,) float32 of Adam, else (0,)
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


def program_versions() -> dict[str, str]:
    """Return the versions of what computes, and the commit of this program, -dirty where its code differs from that."""
    import ale_py
    import numpy

    git = ["git", "-C", str(Path(__file__).resolve().parent)]
    head, changes = [*git, "rev-parse", "--short=12", "HEAD"], [*git, "diff", "--name-only", "HEAD", "--", ":(top)*.py"]
    try:
        commit, changed = (
            subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
            for command in (head, changes)
        )
    except (OSError, subprocess.SubprocessError):
        commit, changed = "", ""
    if changed:
        commit += "-dirty"
    return {
        "commit": commit or "unknown",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "ale-py": ale_py.__version__,
        "numpy": numpy.__version__,
    }


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
    # By way of memory: torch tells of a full disk by a RuntimeError, Python by an OSError.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, lambda temporary: temporary.write_bytes(buffer.getbuffer()))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file, flush it to the disk, and rename it to ``path``."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
        raise UserError(f"{path} is not a checkpoint of this program: train one with python train.py.") from error
    if not isinstance(content, dict) or not is_format(content.pop("format", None)):
        raise UserError(f"{path} is not a checkpoint of this program: train one with python train.py.")
    names = {spec.name for spec in fields(Checkpoint)}
    if set(content) != names:
        raise UserError(f"{path} was written by another version of this program: play it with that version.")
    check_content(content, path)
    content["config"] = from_dict(content["config"], str(path))
    return Checkpoint(**content)


def checked_archive(path: Path) -> io.BytesIO:
    """Return a copy of the archive at ``path``, entry by entry with the right checksum.

    torch reads a flipped bit silently, and may find other entries in a file than Python does: it is given what
    was checked.

    Raises:
        UserError: If it is no whole archive as torch writes them, or larger than any checkpoint.
    """
    if not path.is_file():
        raise UserError(f"there is no checkpoint at {path}: train one with python train.py, or give another path.")
    copy = io.BytesIO()
    try:
        with ShortReads(path) as file, zipfile.ZipFile(file) as archive, zipfile.ZipFile(copy, "w") as checked:
            entries = archive.infolist()
            check_sizes(entries)
            for entry in entries:
                with archive.open(entry) as source, checked.open(entry.filename, "w") as target:
                    shutil.copyfileobj(source, target, MAX_INDEX_BYTES)
    except PermissionError as error:
        raise UserError(f"{path} cannot be read: change its permissions.") from error
    except Exception as error:
        raise UserError(
            f"{path} is damaged or not a checkpoint: use an older one from its folder, or best.pt."
        ) from error
    copy.seek(0)
    return copy


def check_sizes(entries: list[zipfile.ZipInfo]) -> None:
    """Raise a ValueError if the entries are more than a checkpoint has, or take more memory than they say."""
    names = [entry.filename.lower() for entry in entries]  # torch tells no capitals from small letters
    pickle_bytes = sum(entry.file_size for entry in entries if entry.filename.lower().endswith(".pkl"))
    if (
        len(set(names)) < len(names)
        or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        or pickle_bytes > MAX_INDEX_BYTES
        or sum(entry.file_size for entry in entries) > MAX_BYTES
    ):
        raise ValueError("no archive of torch's")


class ShortReads(io.FileIO):
    """A file of which nothing is read that takes more memory at once than a checkpoint's directory may.

    zipfile reads the directory at once, whatever length the archive gives for it.
    """

    def read(self, size: int | None = -1) -> bytes:
        """Read up to ``size`` bytes.

        Raises:
            ValueError: If there are more than a checkpoint needs.
        """
        wanted = MAX_INDEX_BYTES + 1 if size is None or size < 0 else min(size, MAX_INDEX_BYTES + 1)
        content = super().read(wanted) or b""
        if len(content) > MAX_INDEX_BYTES:
            raise ValueError("too much at once")
        return content


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


def is_format(value: object) -> bool:
    """Return whether ``value`` is this program's format: a tensor would compare to a tensor."""
    return isinstance(value, int) and value == FORMAT


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


@dataclass(frozen=True, slots=True)
class Agent:
    """A trained network with what is needed to let it play."""

    network: ActorCritic
    checkpoint: Checkpoint


def build_agent(checkpoint: Checkpoint, path: Path) -> Agent:
    """Rebuild the network of a checkpoint that was read from ``path``, ready to play.

    Raises:
        UserError: If its parameters do not fit its network.
    """
    environment = make_environment(checkpoint.config)
    network = make_network(checkpoint.config, environment)
    environment.close()
    # As it was trained, but bf16 only where the CPU has it: in software it takes 8 times as long as float32.
    in_float32 = "float32" in (checkpoint.precision, checkpoint.config.precision)
    local = LocalParameters(network, resolve_precision("float32" if in_float32 else "auto"))
    check_fits(checkpoint, local.size, path)
    local.pull(checkpoint.averaged_parameters)
    return Agent(network.requires_grad_(False).eval(), checkpoint)


def check_fits(checkpoint: Checkpoint, needed: int, path: Path) -> None:
    """Raise a UserError unless the checkpoint has as many parameters as its network needs."""
    found = checkpoint.parameters.numel()
    if found != needed:
        raise UserError(
            f"{path} has {found} parameters, but the network {checkpoint.config.network} for "
            f"{checkpoint.config.game} has {needed}: it belongs to another game or network."
        )


class RunFolder:
    """The checkpoints of one run: numbered ones, ``best.pt``, and ``latest.pt`` one folder up.

    Args:
        root: Folder of all runs, ``checkpoints``.
        run: Name of this one.

    Raises:
        UserError: If the folder cannot be written, or another trainer is writing it.
    """

    def __init__(self, root: Path, run: str) -> None:
        self.path = root / run
        self.best_path = self.path / "best.pt"
        self._root = root
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise UserError(
                f"the folder {self.path} cannot be written ({error.strerror}): choose another with --checkpoints."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(
                f"another training is writing {self.path}: stop it, or choose another name with --run."
            ) from error
        self._clear_up()

    def _clear_up(self) -> None:
        """Remove what was left by trainings that were killed while they saved."""
        for left in self.path.glob(".*.tmp"):
            left.unlink(missing_ok=True)
        for link in self._root.glob(".latest.pt.*.tmp"):
            with suppress(FileNotFoundError):  # another run's training renames it right now
                if time.time() - link.lstat().st_mtime > LEFT_SECONDS:
                    link.unlink()

    def numbered(self) -> list[Path]:
        """Return the numbered checkpoints in the order in which they were written."""
        return sorted(self.path.glob("step_*.pt"), key=lambda path: path.stat().st_mtime_ns)

    def save(self, checkpoint: Checkpoint, keep: int) -> Path:
        """Write a numbered checkpoint, point ``latest.pt`` at it, and delete those beyond ``keep``."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / f"step_{checkpoint.steps:012d}.pt"
        save_checkpoint(checkpoint, path)
        point_to(self._root / "latest.pt", path)
        for old in self.numbered()[:-keep]:
            if old != path:
                old.unlink(missing_ok=True)
        return path

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Write ``best.pt``."""
        self.path.mkdir(parents=True, exist_ok=True)
        save_checkpoint(checkpoint, self.best_path)

    def best_evaluation(self) -> float | None:
        """Return the mean score for which ``best.pt`` was kept, if there is one."""
        try:
            return load_checkpoint(self.best_path).best_evaluation
        except UserError:
            return None

    def close(self) -> None:
        """Let another trainer write here."""
        self._lock.close()


def point_to(link: Path, target: Path) -> None:
    """Make ``link`` a relative symbolic link to ``target``, or a copy where links do not work."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(os.path.relpath(target, link.parent))
    except OSError:
        write_atomically(link, lambda path: shutil.copyfile(target, path))
    else:
        os.replace(temporary, link)


def command_line() -> str:
    """Return the command that started this program."""
    return " ".join(["python", *sys.argv])
