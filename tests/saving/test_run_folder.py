"""The folder of a run: rotation, latest.pt, best.pt, config.toml, and one training at a time."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.presets import BREAKOUT, CARTPOLE_A3C
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.saving.config_file import read_config
from breakout_a3c.saving.run_folder import RunFolder
from tests.saving.test_checkpoints import small_checkpoint


def test_rotation_and_latest(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    for steps in (1, 20, 300, 4000):
        folder.save(small_checkpoint(steps), keep=2)
        assert load_checkpoint(tmp_path / "latest.pt").steps == steps
    assert [load_checkpoint(path).steps for path in folder.numbered()] == [300, 4000]
    folder.save_best(small_checkpoint(300))
    assert load_checkpoint(tmp_path / "run" / "best.pt").steps == 300


def test_another_run_is_never_touched(tmp_path: Path) -> None:
    one, other = RunFolder(tmp_path, "one"), RunFolder(tmp_path, "other")
    kept = one.save(small_checkpoint(1), keep=1)
    for steps in (2, 3, 4):
        other.save(small_checkpoint(steps), keep=1)
    assert load_checkpoint(kept).steps == 1


def test_two_trainers_in_one_folder_are_refused(tmp_path: Path) -> None:
    first = RunFolder(tmp_path, "run")
    with pytest.raises(UserError, match="another training"):
        RunFolder(tmp_path, "run")
    first.close()
    RunFolder(tmp_path, "run").close()


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        RunFolder(tmp_path / "file", "run")


def test_a_removed_folder_comes_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    for path in (folder.path / ".lock", folder.path):
        path.unlink() if path.is_file() else path.rmdir()
    folder.save(small_checkpoint(5), keep=1)
    assert load_checkpoint(tmp_path / "latest.pt").steps == 5


def test_the_settings_are_written_for_people(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    folder.save_config(CARTPOLE_A3C.replace(seed=7))
    folder.save_config(CARTPOLE_A3C.replace(seed=8))
    assert read_config(tmp_path / "run" / "config.toml", BREAKOUT) == CARTPOLE_A3C.replace(seed=8)


def test_settings_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    (tmp_path / "run" / "config.toml").mkdir()
    with pytest.raises(UserError, match=r"run cannot be written \(Is a directory\): choose another with --checkpoints"):
        folder.save_config(CARTPOLE_A3C)


def test_the_best_score_is_that_of_the_kept_checkpoint(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    assert folder.best_evaluation() is None
    folder.save_best(replace(small_checkpoint(), best_evaluation=12.5))
    assert folder.best_evaluation() == 12.5
    folder.best_path.write_bytes(b"damaged")
    assert folder.best_evaluation() is None


def test_what_a_killed_training_left_is_removed(tmp_path: Path) -> None:
    left = [tmp_path / "run" / ".step_1.pt.77.tmp", tmp_path / ".latest.pt.77.tmp", tmp_path / ".latest.pt.78.tmp"]
    left[0].parent.mkdir()
    for path in left:
        path.touch()
    long_ago = time.time() - 3600
    os.utime(left[1], (long_ago, long_ago))
    RunFolder(tmp_path, "run")
    assert [path.exists() for path in left] == [False, False, True], "another training renames the last one right now"
