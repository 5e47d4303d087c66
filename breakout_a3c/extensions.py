"""Games, networks and reward rules of a user's own, by the names under which a file of theirs registers them.

That file is given by ``--import FILE`` or ``load_extension``, and runs in the processes of a training too. Checkpoints
and models hold the names alone: nothing that is loaded says what is to be run.
"""

import shlex
import sys
from collections.abc import Callable, Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from breakout_a3c.errors import UserError

RewardRule = Callable[[float, bool], float]  # of the game's raw reward, and of whether the step cost a life

GAMES: dict[str, Callable[[], Any]] = {}  # each builds a gymnasium environment
NETWORKS: dict[str, Callable[[tuple[int, ...]], Any]] = {}  # each builds a torch module for observations of a shape
REWARD_RULES: dict[str, RewardRule] = {}
REGISTERED_FOR: dict[str, dict[str, Any]] = {"game": GAMES, "network": NETWORKS, "reward_rule": REWARD_RULES}

_files: dict[str, str] = {}  # that ran, in order, and how the user called them


def load_extension(path: str | Path) -> None:
    """Run a file of a user's own that registers something; a second time does nothing.

    Raises:
        UserError: If it cannot be read, or ends by an error.
    """
    file = Path(path).resolve()
    if str(file) in _files:
        return
    spec = spec_from_file_location(f"extension_{file.stem}", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise UserError(f"{path} is no Python file: give --import the file that registers something.")
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses and pickle look there
    try:
        spec.loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} ended by an error ({type(error).__name__}: {error!s:.200}): mend it.") from error
    _files[str(file)] = str(path)


def load_extensions(paths: Iterable[str]) -> None:
    """Run the files that another process has run."""
    for path in paths:
        load_extension(path)


def extension_files() -> tuple[str, ...]:
    """Return the files that ran, for the processes that this one starts."""
    return tuple(_files)


def import_options() -> str:
    """Return what a command that goes on with this one needs, such as `` --import my_game.py``."""
    return "".join(f" --import {shlex.quote(path)}" for path in _files.values())
