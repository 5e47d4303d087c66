"""The models that come with the program, by name."""

from collections.abc import Mapping
from pathlib import Path

from breakout_a3c.called import called
from breakout_a3c.errors import UserError
from breakout_a3c.saving.files import is_file

SUFFIX = ".safetensors"  # of a published model
MODELS = Path(__file__).resolve().parents[1] / "models"


def published_models() -> Mapping[str, Path]:
    """Return the models that come with the program, by name."""
    return {path.stem: path for path in sorted(MODELS.glob(f"*{SUFFIX}"))}


def model_path(source: str | Path) -> Path:
    """Return the path of a model or a checkpoint.

    Args:
        source: The path, or the name of a model that comes with the program; a path that exists goes before a name.
    """
    path = Path(source)
    return path if path.exists() else published_models().get(str(source), path)


def require_there(path: Path) -> None:
    """Raise a UserError if there is no such model or checkpoint; nothing of it is read, and torch is not imported."""
    if is_file(path):
        return
    if path.suffix == SUFFIX:
        raise UserError(f"there is no model at {path}: give the path of one.")
    raise UserError(f"there is no checkpoint at {path}: train one with {called('train')}, or give another path.")
