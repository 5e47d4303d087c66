"""What must be the same on all machines of a cluster."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import breakout_a3c
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import load_extensions
from breakout_a3c.games.names import check_game

NAMES = {"program": "breakout_a3c", "python": "Python", "torch": "torch", "numpy": "numpy", "ale_py": "ale-py"}


@dataclass(frozen=True, slots=True)
class MachineVersions:
    """What a machine has."""

    program: str  # a fingerprint of this package
    python: str
    torch: str
    numpy: str
    ale_py: str
    extensions: str  # a fingerprint of the files of a user's own
    error: str = ""  # why it cannot play the game


def versions_here(game: str, extensions: Sequence[str] = ()) -> MachineVersions:
    """Return what this machine has.

    Args:
        game: That is to be played.
        extensions: Files of the user's own that register games, networks and reward rules.
    """
    error_here = ""
    try:
        load_extensions(extensions)
        check_game(game)
    except UserError as error:
        error_here = str(error)
    own_files = digest({Path(path).name: Path(path) for path in extensions if Path(path).is_file()})
    python = ".".join(platform.python_version_tuple()[:2])
    return MachineVersions(
        fingerprint(), python, version("torch"), version("numpy"), version("ale-py"), own_files, error_here
    )


def fingerprint() -> str:
    """Return 12 digits that another version of this package does not have."""
    folder = Path(breakout_a3c.__file__).parent
    return digest({str(path.relative_to(folder)): path for path in folder.rglob("*.py")})


def digest(files: Mapping[str, Path]) -> str:
    """Return 12 digits of the names and contents of files."""
    found = hashlib.sha256()
    for name, path in sorted(files.items()):
        found.update(name.encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def incompatibility(machine: str, there: MachineVersions, here: MachineVersions) -> str:
    """Return why a machine cannot train with this one, as a sentence; empty if it can.

    Args:
        machine: Its name.
        there: What it has.
        here: What the driver's machine has.
    """
    found, ours = asdict(there), asdict(here)
    differing = next((name for name in NAMES if found[name] != ours[name]), None)
    if differing is not None:
        what = NAMES[differing]
        return (
            f"{machine} has {what} {found[differing]}, and this machine has {ours[differing]}: "
            f"install the same {what} on both."
        )
    if there.error:
        return f"{machine} cannot train: {there.error}"
    if there.extensions != here.extensions:
        return f"{machine} has other files for --import than this machine: copy them there."
    return ""
