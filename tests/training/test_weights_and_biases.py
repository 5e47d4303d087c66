"""Weights & Biases, by a stand-in that fails as wandb 0.31 does, from whose behaviour it was written."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.presets import BREAKOUT, CARTPOLE_A3C
from breakout_a3c.training.weights_and_biases import ID_FILE, mirror_to_wandb


class UsageError(Exception):
    """Not logged in."""


class CommError(Exception):
    """No answer."""


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What wandb.init was asked for."""
    asked: list[dict[str, Any]] = []
    install(monkeypatch, lambda **settings: asked.append(settings))
    return asked


def install(monkeypatch: pytest.MonkeyPatch, init: Callable[..., object]) -> None:
    wandb = ModuleType("wandb")
    wandb.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "5")


def test_a_run_is_mirrored_in_the_project_of_its_game(tmp_path: Path, runs: list[dict[str, Any]]) -> None:
    mirror_to_wandb(tmp_path / "a-run", BREAKOUT, resumed=False)
    mirror_to_wandb(tmp_path / "b-run", CARTPOLE_A3C, resumed=False)
    assert [(run["project"], run["name"]) for run in runs] == [("breakout-a3c", "a-run"), ("cartpole-a3c", "b-run")]
    assert (runs[0]["sync_tensorboard"], runs[0]["config"]["seed"]) == (True, BREAKOUT.upkeep.seed)
    assert runs[0]["dir"].is_dir(), "it writes there"
    assert os.environ["WANDB_INIT_TIMEOUT"] == "5", "what the user chose stays"


def test_a_run_that_goes_on_is_the_same_one_there(tmp_path: Path, runs: list[dict[str, Any]]) -> None:
    for resumed in (False, True, True, False):
        mirror_to_wandb(tmp_path / "run", BREAKOUT, resumed=resumed)
    mirror_to_wandb(tmp_path / "other" / "run", BREAKOUT, resumed=True)  # whose first part was not mirrored
    first, second, third, anew, other = (run["id"] for run in runs)
    assert first == second == third
    assert len({first, anew, other}) == 3, "another run of the same name is another run there"
    assert {run["resume"] for run in runs} == {"allow"}


def test_a_damaged_name_is_replaced(tmp_path: Path, runs: list[dict[str, Any]]) -> None:
    (tmp_path / ID_FILE).write_bytes(b"\xff/../")
    mirror_to_wandb(tmp_path, BREAKOUT, resumed=True)
    assert (tmp_path / ID_FILE).read_text() == runs[0]["id"]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (UsageError("No API key configured. Use `wandb login` to log in."), "Use `wandb login` to log in"),
        (UsageError("api_key not configured (no-tty). call wandb login [your_api_key]"), "[your_api_key]"),
        (CommError("Run initialization has timed out after 30.0 sec.\nPlease try"), "timed out after 30.0 sec"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "Disk quota exceeded"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_what_it_fails_of_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def fail(**_: object) -> None:
        raise error

    install(monkeypatch, fail)
    with pytest.raises(UserError) as told:
        mirror_to_wandb(tmp_path, BREAKOUT, resumed=False)
    assert str(told.value).startswith("Weights & Biases cannot be used (")
    assert f"{why}): type wandb login, set WANDB_MODE=offline where there is no network, or leave" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, runs: list[dict[str, Any]]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written .*: choose another with --runs"):
        mirror_to_wandb(tmp_path / "file" / "run", BREAKOUT, resumed=False)
    assert runs == []


def test_without_its_package_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="install it, or leave out --wandb"):
        mirror_to_wandb(tmp_path, BREAKOUT, resumed=False)
