"""The folder of a run: rotation, latest.pt, best.pt, config.toml, and one training at a time."""

import errno
import fcntl
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.presets import BREAKOUT, CARTPOLE_A3C
from breakout_a3c.saving import run_folder
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint
from breakout_a3c.saving.config_file import read_config
from breakout_a3c.saving.run_folder import RunFolder
from breakout_a3c.saving.run_names import numbered_checkpoints
from tests.saving.test_checkpoints import small_checkpoint


def test_rotation_and_latest(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    for steps in (1, 20, 300, 4000):
        folder.save(small_checkpoint(steps), keep=2)
        assert load_checkpoint(tmp_path / "latest.pt").steps == steps
    assert [load_checkpoint(path).steps for path in numbered_checkpoints(folder.path)] == [300, 4000]
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


def test_an_abandoned_folder_is_removed_unless_something_is_in_it(tmp_path: Path) -> None:
    RunFolder(tmp_path, "run").abandon()
    assert not list(tmp_path.iterdir())
    folder = RunFolder(tmp_path, "run")
    path = folder.save(small_checkpoint(5), keep=1)
    folder.abandon()
    assert load_checkpoint(path).steps == 5
    assert (folder.path / ".lock").exists(), "another trainer may have opened it already"
    RunFolder(tmp_path, "run").abandon()  # nobody holds the lock any more


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


def saved_steps(folder: RunFolder) -> list[int]:
    return [int(path.stem.removeprefix("step_")) for path in numbered_checkpoints(folder.path)]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL])
def test_a_file_system_without_locks_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    folder = RunFolder(tmp_path, "run")
    told = (
        f"the file system of {tmp_path}/run has no locks ({os.strerror(number)}): start no second training of this run."
    )
    assert folder.error == told
    folder.error = ""
    folder.save(small_checkpoint(5), keep=1)
    assert folder.error == ""
    assert load_checkpoint(tmp_path / "latest.pt").steps == 5


def test_a_lock_that_is_denied_is_another_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(fcntl, "flock", denied)
    with pytest.raises(UserError, match="another training"):
        RunFolder(tmp_path, "run")


def test_another_users_latest_is_no_failed_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder such as /tmp, nobody replaces the files of another user."""
    replace_file = os.replace

    def sticky(source: Path, target: Path) -> None:
        if target.name == "latest.pt":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", sticky)
    folder = RunFolder(tmp_path, "run")
    told = []
    for steps in (1, 2, 3):
        assert load_checkpoint(folder.save(small_checkpoint(steps), keep=2)).steps == steps
        told.append(folder.error)
        folder.error = ""
    latest = tmp_path / "latest.pt"
    assert told[0].startswith(
        f"{latest} cannot be replaced (Operation not permitted): give play.py and --resume a check"
    )
    assert told[1:] == ["", ""], "it is said once"
    assert saved_steps(folder) == [2, 3], "and the oldest ones go"


def test_a_checkpoint_that_cannot_be_deleted_holds_up_no_other(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    (folder.path / "step_000000000001.pt").mkdir()  # no file, and so not deleted
    for steps in (2, 3, 4):
        folder.save(small_checkpoint(steps), keep=1)
    assert folder.error.startswith(f"old checkpoints in {folder.path} cannot be deleted (Is a directory): see to it")
    assert saved_steps(folder) == [1, 4]


@pytest.mark.parametrize("days", [0, -1])
def test_the_newest_stay_although_the_clock_stands_still_or_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """FAT knows the time of a file to two seconds; a laptop with two systems may be hours off until it is told."""
    seconds = [time.time()]
    write = run_folder.save_checkpoint

    def write_at_that_time(checkpoint: Checkpoint, path: Path) -> None:
        write(checkpoint, path)
        os.utime(path, (seconds[0], seconds[0]))

    monkeypatch.setattr(run_folder, "save_checkpoint", write_at_that_time)
    folder = RunFolder(tmp_path, "run")
    for steps in (1000, 2000, 3000):
        folder.save(small_checkpoint(steps), keep=3)
    seconds[0] += days * 86_400
    resumed_at = 3000 if days == 0 else 1000  # the second one goes on from an older checkpoint
    for steps in (1, 2, 3, 4):
        folder.save(small_checkpoint(resumed_at + steps), keep=3)
        assert saved_steps(folder)[-1] == resumed_at + steps
    folder.close()
    assert saved_steps(RunFolder(tmp_path, "run")) == [resumed_at + steps for steps in (2, 3, 4)]


def test_what_another_user_left_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [tmp_path / ".latest.pt.77.tmp", tmp_path / "run" / ".step_1.pt.77.tmp"]
    (tmp_path / "run").mkdir()
    for path in left:
        path.touch()
        os.utime(path, (0, 0))

    def sticky(path: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "unlink", sticky)
    RunFolder(tmp_path, "run").close()
    assert [path.exists() for path in left] == [True, True]
