"""What a watcher asks of a training, and is given: by files in the run's folder."""

import math
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.saving import watched_run
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint
from breakout_a3c.saving.run_folder import RunFolder
from breakout_a3c.saving.watched_run import MAX_POINTS, Watched, Watcher, newest_run, read_curve


@pytest.fixture
def checkpoint(cartpole_checkpoint_path: Path) -> Checkpoint:
    return load_checkpoint(cartpole_checkpoint_path)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_run, "ANSWER_SECONDS", 0.3)


def answer(watched: Watched, checkpoint: Checkpoint, asked: threading.Event) -> None:
    """Be a trainer until a watcher has been answered."""
    while not asked.is_set():
        if watched.is_wanted():
            watched.give(checkpoint)
            asked.set()


def ask(run: Path, watched: Watched, checkpoint: Checkpoint) -> watched_run.Newest:
    """Return what a watcher gets from a training that answers."""
    answering = threading.Thread(target=answer, args=(watched, checkpoint, threading.Event()))
    answering.start()
    try:
        return Watcher(run).ask()
    finally:
        answering.join()


def test_a_watcher_gets_what_a_training_gives(tmp_path: Path, checkpoint: Checkpoint) -> None:
    watched = Watched(tmp_path)
    watched.note(1_000_000, math.nan)
    watched.note(1_500_000, 7.0)
    for steps in (20_000, 30_000):
        newest = ask(tmp_path, watched, replace(checkpoint, steps=steps, play_states=[b"a game"]))
        assert newest.checkpoint.steps == steps
        assert newest.checkpoint.play_states == []
        assert newest.curve == [(1.5, 7.0)]


def test_nothing_is_wanted_until_somebody_asks_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    assert not watched.is_wanted()
    wanted = tmp_path / watched_run.FOLDER / watched_run.WANTED
    wanted.parent.mkdir()
    for second in (1, 2):
        wanted.touch()
        os.utime(wanted, (second, second))
        assert [watched.is_wanted(), watched.is_wanted()] == [True, False]


def test_without_a_training_the_last_checkpoint_is_shown(tmp_path: Path, checkpoint: Checkpoint) -> None:
    folder = RunFolder(tmp_path, "run")
    folder.save(checkpoint, keep=1)
    folder.close()
    assert Watcher(folder.path).ask().checkpoint.steps == checkpoint.steps


def test_without_anything_it_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing trains in .*, and it has no checkpoint"):
        Watcher(tmp_path).ask()
    with pytest.raises(UserError, match="cannot be written"):
        Watcher(tmp_path / "missing" / "run").ask()
    with pytest.raises(UserError, match="there is no run in"):
        newest_run(tmp_path)


def test_a_long_curve_loses_every_second_point(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    for point in range(3 * MAX_POINTS):
        watched.note(point, float(point))
    assert MAX_POINTS / 2 <= len(watched._curve) <= MAX_POINTS
    assert watched._curve[-1][1] == 3 * MAX_POINTS - 1
    assert watched._curve == sorted(watched._curve)


def test_a_training_that_goes_on_has_the_curve_of_before(tmp_path: Path, checkpoint: Checkpoint) -> None:
    watched = Watched(tmp_path)
    watched.note(1_000_000, 3.0)
    ask(tmp_path, watched, checkpoint)
    watched.note(2_000_000, 4.0)
    watched.close()
    assert not (tmp_path / watched_run.FOLDER / watched_run.NEWEST).exists()
    assert Watched(tmp_path, 2_000_000)._curve == [(1.0, 3.0), (2.0, 4.0)]
    assert Watched(tmp_path, 1_500_000)._curve == [(1.0, 3.0)]


@pytest.mark.parametrize("text", ['[[1, "x"]]', "[[1, NaN]]", "7", "[" * 100_000, f"[[1, 1{'0' * 400}]]", "\0"])
def test_a_damaged_curve_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / watched_run.CURVE).write_text(text)
    assert read_curve(tmp_path) == []


def test_the_newest_run_is_that_which_was_started_last(tmp_path: Path) -> None:
    for second, name in enumerate(("b", "a"), start=1):
        RunFolder(tmp_path, name).close()
        os.utime(tmp_path / name / watched_run.LOCK, (second, second))
    assert newest_run(tmp_path) == tmp_path / "a"
