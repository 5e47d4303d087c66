"""Runs as batch systems, laptops and hasty users treat them: preempted, put to sleep, started twice."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from breakout_a3c.commands import train
from breakout_a3c.errors import UserError
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.saving.newest import load_newest
from breakout_a3c.saving.run_names import all_checkpoints
from tests.programs.test_train import SMALL, finish, first_checkpoint, start
from tests.running import Program, wait_for

GRACE_SECONDS = 30.0  # that batch systems give; other tests hold programs to 5 s
CARTPOLE = ["--preset", "cartpole", *SMALL, "--max-minutes", "none"]
# An evaluation is always under way, and a checkpoint mostly.
BUSY = ["--eval-minutes", "0.001", "--eval-episodes", "20", "--checkpoint-minutes", "0.001"]


def steps_of(folder: Path, run: str) -> int:
    """Return how far the run is saved, 0 if it is not."""
    path = folder / "checkpoints" / run
    return load_newest(path, print)[1].steps if all_checkpoints(path) else 0


def preempt(job: Program, *, group: bool) -> str:
    """Send SIGTERM to the trainer or to all its processes, and return what it printed before SIGKILL would come."""
    began = time.monotonic()
    (os.killpg if group else os.kill)(job.pid, signal.SIGTERM)
    output = finish(job, 143)
    assert time.monotonic() - began < GRACE_SECONDS
    return output


def test_one_command_starts_a_job_and_goes_on_with_it(tmp_path: Path) -> None:
    """A batch system gives the same script again, whatever became of the job."""

    def job(steps: int = 10**9) -> Program:
        return start(tmp_path, *CARTPOLE, *BUSY, "--run", "job42", "--resume", "--total-steps", str(steps), first=())

    saved = [0]
    for group in (False, True):
        running = job()
        wait_for(lambda: steps_of(tmp_path, "job42") > saved[-1])
        output = preempt(running, group=group)
        saved.append(steps_of(tmp_path, "job42"))
        assert saved[-1] > saved[-2]
        assert (f"It goes on with the run job42 after {saved[-2]:,} agent steps." in output) == group
    running = job()
    wait_for(lambda: steps_of(tmp_path, "job42") > saved[-1])
    running.kill()  # with no time to save: what was saved stays
    running.communicate()
    steps = steps_of(tmp_path, "job42") + 100
    output = finish(job(steps), 0)
    assert f"Done after {steps_of(tmp_path, 'job42'):,} agent steps" in output
    assert "is complete after" in finish(job(steps), 0), "a job that has nothing to do has not failed"
    assert [path.name for path in (tmp_path / "checkpoints").glob("job*")] == ["job42"]
    curve = EventAccumulator(str(tmp_path / "runs" / "job42"), size_guidance={"scalars": 0})
    curve.Reload()
    points = [point.step for point in curve.Scalars("async/updates")]
    assert points == sorted(points)


def test_a_training_goes_on_after_all_of_it_has_slept(tmp_path: Path) -> None:
    options = [*CARTPOLE, *BUSY, "--run", "run", "--total-steps", "1e9"]
    training = start(tmp_path, *options, first=())
    wait_for(first_checkpoint(tmp_path))
    with training.stopped():
        steps = steps_of(tmp_path, "run")
        time.sleep(3)
        assert steps_of(tmp_path, "run") == steps, "all of it sleeps"
    wait_for(lambda: steps_of(tmp_path, "run") > steps + 1000)
    output = preempt(training, group=False)
    assert "replaced" not in output
    assert steps_of(tmp_path, "run") > steps + 1000


def test_runs_that_start_at_once_all_train(tmp_path: Path) -> None:
    options = ["--preset", "cartpole", *SMALL, "--threads", "1", "--total-steps", "600", "--seed"]
    trainings = [start(tmp_path, *options, str(seed), first=()) for seed in (1, 2, 3)]
    outputs = [finish(training, 0) for training in trainings]
    saved = [tmp_path / re.findall(r"^saved: +(.*)$", output, re.MULTILINE)[0] for output in outputs]
    assert [load_checkpoint(path).config.upkeep.seed for path in saved] == [1, 2, 3]
    assert [load_checkpoint(path).run for path in saved] == [path.parent.name for path in saved]
    assert len({path.parent for path in saved}) == 3
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {path.parent.name for path in saved}
    for path, output in zip(saved, outputs, strict=True):
        assert f"go on:     python train.py --resume {path.relative_to(tmp_path)} " in output, (
            "not latest.pt, of any run"
        )
    latest = tmp_path / "checkpoints" / "latest.pt"
    assert latest.resolve() in saved
    resumed = finish(start(tmp_path, "--resume", "checkpoints/latest.pt", "--total-steps", "800", first=()), 0)
    assert f"It goes on with the run {latest.resolve().parent.name} after" in resumed


def test_a_name_whose_curve_is_left_is_refused(tmp_path: Path) -> None:
    options = [*CARTPOLE, "--total-steps", "600", "--run", "a"]
    finish(start(tmp_path, *options, first=()), 0)
    output = finish(start(tmp_path, *options, first=()), 2)
    assert "a has checkpoints: choose another --run, or add --resume to go on with that run" in output
    for path in (tmp_path / "checkpoints" / "a").iterdir():
        path.unlink()
    before = list((tmp_path / "runs" / "a").iterdir())
    output = finish(start(tmp_path, *options, first=()), 2)
    assert "runs/a has the curve of an earlier run: choose another --run, or remove that folder" in output
    assert list((tmp_path / "runs" / "a").iterdir()) == before


def test_a_start_that_learned_nothing_blocks_no_name(tmp_path: Path) -> None:
    training = start(tmp_path, "--envs", "64", "--run", "a")
    assert training.stdout is not None
    while "Ctrl-C" not in training.stdout.readline():
        pass
    training.send_signal(signal.SIGINT)
    assert "nothing was saved" in finish(training, 130)
    assert list((tmp_path / "runs" / "a").glob("events.*")), "an empty curve is left"
    finish(start(tmp_path, *CARTPOLE, "--total-steps", "600", "--run", "a", first=()), 0)
    curve = EventAccumulator(str(tmp_path / "runs" / "a"))
    curve.Reload()
    assert curve.Scalars("async/updates")[-1].step >= 600


def test_a_damaged_checkpoint_stops_no_job(
    tmp_path: Path,
    cartpole_checkpoint_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "checkpoints" / "job"
    folder.mkdir(parents=True)
    whole, torn = folder / "step_000000000100.pt", folder / "step_000000000200.pt"
    whole.write_bytes(cartpole_checkpoint_path.read_bytes())
    torn.write_bytes(whole.read_bytes()[:5000])
    os.utime(whole, (1, 1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--run", "job", "--resume"])
    options = train.parse_options()
    source = train.checkpoint_to_resume(options)
    assert source is not None
    assert train.resume_plan(source, options).source == whole.relative_to(tmp_path)
    assert capsys.readouterr().out == (
        f"{torn.relative_to(tmp_path)} is damaged: the run goes on from an older checkpoint.\n"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resume"], "--resume without a checkpoint needs the name of a run"),
        (["--resume", "--run", "../up"], "--run is '../up'"),
        (
            ["--resume", "checkpoints/folder/"],
            "checkpoints/folder is a folder: give a checkpoint in it, or --run folder --resume for its newest",
        ),
        (["--resume", "folder"], "folder is a folder: give the path of a checkpoint, such as checkpoints/latest.pt"),
        (["--resume", "checkpoints"], "checkpoints is a folder: give the path of a checkpoint, such as"),
        (["--resume", "checkpoints/empty"], "checkpoints/empty is a folder: give the path of a checkpoint, such as"),
        (["--resume="], "--resume without a checkpoint needs the name of a run"),
        (["--resume", ""], "--resume without a checkpoint needs the name of a run"),
        (["--resume", "x" * 300], "cannot be read (File name too long)"),
        (
            ["--resume", "--run", "folder", "--separate-value-network"],
            "was trained with --no-separate-value-network, not --separate-value-network",
        ),
    ],
)
def test_a_resume_that_cannot_be_is_one_sentence(
    tmp_path: Path,
    cartpole_checkpoint_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
) -> None:
    folder = tmp_path / "checkpoints" / "folder"
    folder.mkdir(parents=True)
    (folder / "step_000000012345.pt").write_bytes(cartpole_checkpoint_path.read_bytes())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "best.pt").write_bytes(cartpole_checkpoint_path.read_bytes())
    (tmp_path / "checkpoints" / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", *options])
    with pytest.raises(UserError, match=re.escape(words)) as told:
        train.main()
    assert "\n" not in str(told.value)
