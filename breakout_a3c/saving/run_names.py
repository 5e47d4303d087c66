"""Names of runs: which of them are taken, and which checkpoints a name has."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from breakout_a3c.errors import UserError
from breakout_a3c.saving.files import is_file

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
BEST = "best.pt"
MAX_SAME_NAMES = 1000  # more runs than anyone starts in one second


def require_run_name(name: str) -> None:
    """Raise a UserError unless a run may be called ``name``."""
    if not RUN_NAME.fullmatch(name):
        raise UserError(f"--run is {name!r}: use letters, digits, '.', '_' and '-' only.")


def take_name(name: str, checkpoints: Path, runs: Path) -> str:
    """Make the folders of a new run, which no other run has, and return its name: ``name``, or that with a number.

    Trainings may start at the same moment: each folder is made by one of them.

    Raises:
        UserError: If a folder cannot be written.
    """
    for number in range(1, MAX_SAME_NAMES):
        unique = name if number == 1 else f"{name}-{number}"
        if not make_new(checkpoints / unique, "--checkpoints"):
            continue
        if runs.resolve() == checkpoints.resolve() or make_new(runs / unique, "--runs"):
            return unique
        with suppress(OSError):
            (checkpoints / unique).rmdir()
    raise UserError(f"there are {MAX_SAME_NAMES} runs called {name}: choose another name with --run.")


@contextmanager
def free_name_on_failure(name: str, checkpoints: Path, runs: Path) -> Iterator[None]:
    """Remove what ``take_name`` has made, if the block fails before anything is in it."""
    try:
        yield
    except BaseException:  # Ctrl-C, too
        for folder in (checkpoints / name, runs / name):
            with suppress(OSError):  # it is not there, or something is in it
                folder.rmdir()
        raise


def make_new(folder: Path, option: str) -> bool:
    """Make a folder and return True; return False if it exists.

    Args:
        folder: To make.
        option: What chooses another place.

    Raises:
        UserError: If it cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder.parent, error, option) from error
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise cannot_write(folder, error, option) from error
    return True


def numbered_checkpoints(folder: Path) -> list[Path]:
    """Return the numbered checkpoints of a run in the order in which they were written."""
    return as_written(folder.glob("step_*.pt"))


def all_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a run in the order in which they were written, ``best.pt`` among them.

    Raises:
        UserError: If the folder cannot be looked into.
    """
    best = [folder / BEST] if is_file(folder / BEST) else []
    return as_written([*best, *folder.glob("step_*.pt")])


def as_written(paths: Iterable[Path]) -> list[Path]:
    """Return checkpoints in the order in which they were written.

    Some file systems know the time of a file to two seconds only; of two that are equally old, one trained longer.
    """
    written: dict[Path, int] = {}
    for path in paths:
        with suppress(OSError):  # somebody removes it right now
            written[path] = path.stat().st_mtime_ns
    return sorted(written, key=lambda path: (written[path], path.name))


def cannot_write(folder: Path, error: OSError, option: str = "--checkpoints") -> UserError:
    """Return the sentence for a folder that cannot be written, which the user chooses by ``option``."""
    return UserError(f"the folder {folder} cannot be written ({error.strerror}): choose another with {option}.")
