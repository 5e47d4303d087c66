"""A checkpoint is whole or absent, whatever happens to the process or the disk that it is written to."""

import itertools
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.start import start_process
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.saving.run_folder import RunFolder
from breakout_a3c.training import metrics, trainer
from breakout_a3c.training.console import TrainingConsole
from breakout_a3c.training.plan import TrainingPlan
from breakout_a3c.training.trainer import Trainer
from tests.programs.test_train import first_checkpoint
from tests.running import run, wait_for
from tests.saving.test_checkpoints import small_checkpoint
from tests.starting import training_context
from tests.torture.effort import rounds

# TensorBoard writes in a thread; its traceback would be no sentence.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
CONFIG = PRESETS["cartpole"].replace(threads=1, envs=2, total_steps=None, eval_minutes=0.0, checkpoint_minutes=0.001)
VALUES = torch.rand(1_000_000)  # 12 MB a file, as of the largest network
LARGE: dict[str, Any] = dict.fromkeys(("parameters", "averaged_parameters", "square_average"), VALUES)
LARGE["gradient_average"] = VALUES[:0]


def save_for_ever(root: Path, first: int, pipe: Connection) -> None:
    folder = RunFolder(root, "run")
    for steps in itertools.count(first):
        folder.save(replace(small_checkpoint(steps), **LARGE), keep=2)
        pipe.send(steps)


def last_told(pipe: Connection) -> int:
    """Return the last number that a killed process sent."""
    last = 0
    with suppress(EOFError):
        while True:
            last = pipe.recv()
    return last


def test_a_kill_while_saving_never_costs_a_checkpoint(tmp_path: Path, chance: random.Random) -> None:
    context = training_context()
    steps = 0
    for _ in range(rounds(10, 200)):
        reader, writer = Pipe(duplex=False)
        saver = start_process(context, "saver", save_for_ever, tmp_path, steps + 1, writer)
        writer.close()
        assert reader.poll(60), "nothing is saved"
        time.sleep(chance.uniform(0, 0.1))
        saver.kill()
        saver.join()
        told = last_told(reader)
        steps = load_checkpoint(tmp_path / "latest.pt").steps
        assert steps in (told, told + 1), "what was saved is what is loaded"
        for path in (tmp_path / "run").glob("*.pt"):
            assert load_checkpoint(path).steps <= steps + 1, "whole or absent"


def test_what_a_killed_save_left_is_cleared_away(tmp_path: Path) -> None:
    file, link, new_link = (
        tmp_path / name for name in ("run/.step_000000000007.pt.4711.tmp", ".latest.pt.4711.tmp", ".latest.pt.12.tmp")
    )
    file.parent.mkdir()
    file.touch()
    for each in (link, new_link):
        each.symlink_to("run/step_000000000007.pt")
    long_ago = time.time() - 3600
    os.utime(link, (long_ago, long_ago), follow_symlinks=False)
    RunFolder(tmp_path, "run").close()
    assert not file.exists()
    assert not link.is_symlink()
    assert new_link.is_symlink(), "another training may be about to rename it"


class Disk:
    """A folder ``path`` that can be made to fail, by mounts where they are permitted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mounted: list[Path] = []
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        path.mkdir()
        self.can_mount = self._mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", path)

    def _mount(self, *arguments: str | Path) -> bool:
        try:
            done = run(["mount", *arguments], capture_output=True).returncode == 0
        except FileNotFoundError:
            return False
        if done:
            self._mounted.append(Path(arguments[-1]))
        return done

    def _unmount(self, path: Path) -> None:
        run(["umount", "--lazy", path], check=True)
        self._mounted.remove(path)

    def fill(self) -> None:
        """Leave no room for another byte; without a mount, no file may grow."""
        if not self.can_mount:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._limits[1]))
            return
        with suppress(OSError), (self.path / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass

    def forbid(self) -> None:
        """Let nothing be written; without a mount, a file takes the place of the folder."""
        checkpoints = self.path / "checkpoints"
        if self.can_mount:
            assert self._mount("--bind", checkpoints, checkpoints)
            run(["mount", "-o", "remount,bind,ro", checkpoints], check=True)
        else:
            checkpoints.rename(self.path / "aside")
            checkpoints.touch()

    def remove(self) -> None:
        """Take away everything that was written."""
        for folder in ("checkpoints", "runs"):
            shutil.rmtree(self.path / folder)

    def mend(self) -> None:
        """Be a good disk again."""
        checkpoints = self.path / "checkpoints"
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
        (self.path / "filler").unlink(missing_ok=True)
        if checkpoints in self._mounted:
            self._unmount(checkpoints)
        if (self.path / "aside").exists():
            checkpoints.unlink()
            (self.path / "aside").rename(checkpoints)

    def close(self) -> None:
        self.mend()
        for path in reversed(self._mounted):
            self._unmount(path)


@pytest.fixture(params=["mounts", "no mounts"])
def disk(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    if request.param == "no mounts":
        monkeypatch.setattr(Disk, "_mount", lambda *_: False)
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.close()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a training in this process says; its clocks go faster."""
    messages: list[str] = []
    monkeypatch.setattr(TrainingConsole, "say", lambda _, message: messages.append(message))
    monkeypatch.setattr(TrainingConsole, "update", lambda _, status: None)
    for name in ("STATUS_SECONDS", "METRICS_SECONDS", "SAVE_RETRY_SECONDS"):
        monkeypatch.setattr(trainer, name, 0.2)
    monkeypatch.setattr(metrics, "RETRY_SECONDS", 0.2)
    return messages


def train_while(disk: Disk, script: Callable[[], None]) -> int:
    """Train in this process until ``script`` has run beside it; return the exit code."""

    def run_script() -> None:
        try:
            wait_for(first_checkpoint(disk.path))
            script()
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    training = Trainer(TrainingPlan(CONFIG, "run", disk.path / "checkpoints", disk.path / "runs"), training_context())
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(run_script)
        code = training.run()
        running.result()
    return code


def saved_steps(disk: Disk) -> int:
    latest = disk.path / "checkpoints" / "latest.pt"
    return load_checkpoint(latest).steps if latest.exists() else 0


@pytest.mark.parametrize("fault", ["fill", "forbid"])
def test_a_disk_that_fails_is_reported_and_tried_again(
    disk: Disk, said: list[str], fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def script() -> None:
        getattr(disk, fault)()
        wait_for(lambda: any("The checkpoint was NOT written" in message for message in said))
        if fault == "fill":
            wait_for(lambda: any("The curves could not be written" in message for message in said))
        if not (disk.path / "checkpoints").is_file():
            seen.append(saved_steps(disk))
        disk.mend()
        steps = saved_steps(disk)
        wait_for(lambda: saved_steps(disk) > steps + 100)

    assert train_while(disk, script) == 130
    assert all(steps > 0 for steps in seen), "the last one that was whole is still there"
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("disk", ["no mounts"], indirect=True)
def test_folders_that_are_removed_come_back(disk: Disk, said: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    def script() -> None:
        disk.remove()
        wait_for(lambda: saved_steps(disk) > 0)
        wait_for(lambda: list((disk.path / "runs" / "run").glob("events.*")))

    assert train_while(disk, script) == 130
    assert saved_steps(disk) > 0
    curves = EventAccumulator(str(disk.path / "runs" / "run"))
    curves.Reload()
    assert curves.Scalars("async/updates"), "the curves go on"
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("disk", ["no mounts"], indirect=True)
def test_a_training_ends_saved_although_its_curves_cannot_be_closed(disk: Disk, said: list[str]) -> None:
    runs = disk.path / "runs" / "run"

    def script() -> None:
        shutil.rmtree(runs)
        runs.touch()

    assert train_while(disk, script) == 130
    assert saved_steps(disk) > 0
