"""Which names of runs are taken, and which checkpoints a name has."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.saving.archive import checked_archive
from breakout_a3c.saving.run_names import (
    all_checkpoints,
    free_name_on_failure,
    numbered_checkpoints,
    require_run_name,
    take_name,
)


def test_runs_that_start_at_once_have_names_of_their_own(tmp_path: Path) -> None:
    checkpoints, runs = tmp_path / "checkpoints", tmp_path / "runs"
    with ThreadPoolExecutor(8) as starts:
        names = list(starts.map(lambda _: take_name("run", checkpoints, runs), range(8)))
    assert sorted(names) == ["run", *(f"run-{number}" for number in range(2, 9))]
    assert {path.name for path in checkpoints.iterdir()} == {path.name for path in runs.iterdir()} == set(names)


def test_a_name_is_free_in_both_folders(tmp_path: Path) -> None:
    checkpoints, runs = tmp_path / "checkpoints", tmp_path / "runs"
    (runs / "run").mkdir(parents=True)
    assert take_name("run", checkpoints, runs) == "run-2"
    assert [path.name for path in checkpoints.iterdir()] == ["run-2"], "nothing of the name that was taken"


def test_a_run_that_does_not_begin_leaves_no_folder(tmp_path: Path) -> None:
    checkpoints, runs = tmp_path / "checkpoints", tmp_path / "runs"
    for _ in range(2):
        name = take_name("run", checkpoints, runs)
        with pytest.raises(UserError), free_name_on_failure(name, checkpoints, runs):
            raise UserError("no cluster")
    assert (name, list(checkpoints.iterdir()), list(runs.iterdir())) == ("run", [], [])
    (checkpoints / take_name("run", checkpoints, runs) / "latest.pt").touch()
    with pytest.raises(UserError), free_name_on_failure("run", checkpoints, runs):
        raise UserError("no cluster")
    assert (checkpoints / "run" / "latest.pt").exists()


def test_checkpoints_and_curves_may_lie_in_one_folder(tmp_path: Path) -> None:
    assert [take_name("run", tmp_path, tmp_path / "x" / "..") for _ in range(2)] == ["run", "run-2"]


@pytest.mark.parametrize("option", ["--checkpoints", "--runs"])
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, option: str) -> None:
    (tmp_path / "file").touch()
    folders = [tmp_path / ("file" if name == option else "folder") for name in ("--checkpoints", "--runs")]
    with pytest.raises(UserError, match=f"file cannot be written .*: choose another with {option}"):
        take_name("run", *folders)


@pytest.mark.parametrize("name", ["../up", "", "-run", "a/b", "a b", "x" * 101, "a\n"])
def test_names_that_are_no_folders_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="use letters, digits"):
        require_run_name(name)


def test_checkpoints_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    assert all_checkpoints(tmp_path / "missing") == all_checkpoints(tmp_path) == []
    paths = [tmp_path / name for name in ("best.pt", "step_000000000900.pt", "step_000000000100.pt")]
    for seconds, path in enumerate(paths):
        path.touch()
        os.utime(path, (seconds, seconds))
    assert all_checkpoints(tmp_path) == paths
    os.utime(paths[0], (2, 2))
    assert all_checkpoints(tmp_path)[-1] == paths[2], "of two that are equally old, the numbered one"
    os.utime(paths[0], (9, 9))
    assert all_checkpoints(tmp_path) == [paths[1], paths[2], paths[0]]
    assert numbered_checkpoints(tmp_path) == paths[1:]


def test_a_checkpoint_of_another_user_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root reads everything, the refusal is played."""

    def stat(path: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", stat)
    for read in (checked_archive, all_checkpoints):
        with pytest.raises(UserError, match=r"cannot be read \(Permission denied\): ask its owner"):
            read(tmp_path / "latest.pt")
