"""What must be the same on all machines of a cluster."""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import breakout_a3c
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import load_extensions
from breakout_a3c.games.names import check_game

NAMES = {"program": "breakout_a3c", "python": "Python", "torch": "torch", "numpy": "numpy", "ale_py": "ale-py"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a machine has."""

    program: str  # a fingerprint of this package
    python: str
    torch: str
    numpy: str
    ale_py: str
    trouble: str = ""  # why it cannot play the game


def facts_here(game: str, extensions: Sequence[str] = ()) -> Facts:
    """Return what this machine has.

    Args:
        game: That is to be played.
        extensions: Files of the user's own that register games, networks and reward rules.
    """
    trouble = ""
    try:
        load_extensions(extensions)
        check_game(game)
    except UserError as error:
        trouble = str(error)
    python = ".".join(platform.python_version_tuple()[:2])
    return Facts(fingerprint(), python, version("torch"), version("numpy"), version("ale-py"), trouble)


def fingerprint() -> str:
    """Return 12 digits that another version of this package does not have."""
    folder = Path(breakout_a3c.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def trouble_with(machine: str, facts: Facts, here: Facts) -> str:
    """Return why a machine cannot train with this one, as a sentence; empty if it can.

    Args:
        machine: Its name.
        facts: What it has.
        here: What the driver's machine has.
    """
    for name, (found, ours) in differences(facts, here).items():
        what = NAMES[name]
        return f"{machine} has {what} {found}, and this machine has {ours}: install the same {what} on both."
    return f"{machine} cannot train: {facts.trouble}" if facts.trouble else ""


def differences(facts: Facts, here: Facts) -> dict[str, tuple[str, str]]:
    """Return what differs between two machines, of what must not."""
    found, ours = asdict(facts), asdict(here)
    return {name: (found[name], ours[name]) for name in NAMES if found[name] != ours[name]}
