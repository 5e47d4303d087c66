"""Trainings by ``train.py``, as a user starts and stops them, and games with their snapshots."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.paths import ROOT
from breakout_a3c.playing.evaluation import GameMaker, Protocol, make_evaluation_environment
from breakout_a3c.playing.evaluation_pool import evaluate_on_all_cores
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import Agent

STOPPED_BY_SIGTERM = 128 + signal.SIGTERM
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Training:
    """A run of ``train.py`` whose checkpoints and curves lie in ``folder``."""

    folder: Path
    run: str
    tree: Path | None = None  # whose train.py it is; None: this checkout's
    program: Sequence[str] = ("train.py",)  # arguments of Python

    @property
    def curves(self) -> Path:
        """The folder of its curves."""
        return self.folder / "runs" / self.run

    def snapshots(self) -> list[Path]:
        """Return its checkpoints, oldest first."""
        return sorted((self.folder / "checkpoints" / self.run).glob("step_*.pt"))

    def start(
        self, arguments: list[str], resume: Path | None = None, log: Path | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start it.

        Args:
            arguments: Of ``train.py``.
            resume: The checkpoint to go on with.
            log: Where its output is added to; without one it is thrown away.
        """
        tree = self.tree or ROOT

        def seen(path: Path) -> str:  # what is kept is to name no folder of this machine
            return os.path.relpath(path, tree)

        command = [
            sys.executable, *self.program, *(["--resume", seen(resume)] if resume else ["--run", self.run]),
            "--checkpoints", seen(self.folder / "checkpoints"), "--runs", seen(self.folder / "runs"),
            *arguments,
        ]  # fmt: skip
        if log is None:
            return subprocess.Popen(command, cwd=tree, stdout=subprocess.DEVNULL)
        with log.open("a") as output:
            return subprocess.Popen(command, cwd=tree, stdout=output, stderr=subprocess.STDOUT)

    @contextmanager
    def running(
        self, arguments: list[str], resume: Path | None = None, log: Path | None = None
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Start it as ``start`` does, and stop it at the end of the block, however that ends."""
        process = self.start(arguments, resume, log)
        try:
            yield process
        finally:
            stop(process)


def stop(training: "subprocess.Popen[bytes]") -> int:
    """End a training as a user would, or by force where that does not end it; return its exit code."""
    training.send_signal(signal.SIGTERM)
    try:
        return training.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        training.kill()
        return training.wait()


def play_games(
    context: Context, agent: Agent, protocol: Protocol, make_game: GameMaker = make_evaluation_environment
) -> dict[str, Any]:
    """Play the games of ``protocol`` on all cores; return all that a report names."""
    return evaluate_on_all_cores(context, agent, protocol, lambda played: None, make_game).to_dict()
