"""Models that come with the program, and files of a user's own of the same name."""

from pathlib import Path

import pytest

from breakout_a3c.saving.model_names import MODELS, model_path, published_models


def test_the_published_models_have_their_files_names() -> None:
    assert published_models()["breakout"] == MODELS / "breakout.safetensors"
    assert all(path.is_file() for path in published_models().values())


def test_a_name_is_the_models_path() -> None:
    assert model_path("breakout") == MODELS / "breakout.safetensors"


@pytest.mark.parametrize("source", ["models/breakout.safetensors", "checkpoints/latest.pt", "breakot"])
def test_all_else_is_a_path(source: str) -> None:
    assert model_path(source) == Path(source)


def test_a_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("breakout").touch()
    assert model_path("breakout") == Path("breakout")
