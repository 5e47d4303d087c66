"""The models that come with the program, by name."""

from collections.abc import Mapping
from pathlib import Path

MODELS = Path(__file__).resolve().parents[1] / "models"


def published_models() -> Mapping[str, Path]:
    """Return the models that come with the program, by name."""
    return {path.stem: path for path in sorted(MODELS.glob("*.safetensors"))}


def model_path(source: str | Path) -> Path:
    """Return the path of a model or a checkpoint.

    Args:
        source: The path, or the name of a model that comes with the program; a path that exists goes before a name.
    """
    path = Path(source)
    return path if path.exists() else published_models().get(str(source), path)
