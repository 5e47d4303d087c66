"""A rival's program while it runs: started, read, and ended with all that it has started."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.common.paths import ROOT
from benchmarks.common.venvs import make_python
from benchmarks.rivals.rival import Rival, copy_source

LOOK_SECONDS = 1.0
POINT_SECONDS = 20.0
END_SECONDS = 10.0


@dataclass(slots=True)
class Run:
    """What was seen of a program while it ran."""

    began: float = field(default_factory=time.time)
    seconds: float = 0.0
    ended: str = "time"
    points: list[list[float]] = field(default_factory=list)  # minutes, its own score


def lines_of(process: "subprocess.Popen[str]") -> Iterator[str | None]:
    """Yield what a program prints, line by line, and None each time that nothing has come for a second."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    while True:
        ended = process.poll() is not None  # asked first: what it printed last may still be on its way
        try:
            yield lines.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if ended:
                return
            yield None


def watch(process: "subprocess.Popen[str]", rival: Rival, target: float, seconds: float, log: Path) -> Run:
    """Read what a program prints until its own score has reached the target, its time is over or it ends."""
    run, scores = Run(), list[float]()
    with log.open("w") as file:
        for line in lines_of(process):
            run.seconds = time.time() - run.began
            if line is not None:
                file.write(f"{run.seconds:.1f} {line}")
                scores += rival.scores_in(line)
            score = rival.own_score(scores)
            if score and (not run.points or run.seconds - 60 * run.points[-1][0] > POINT_SECONDS):
                run.points.append([round(run.seconds / 60, 3), round(score, 2)])
            if score >= target or run.seconds > seconds:
                run.ended = f"{target:g} points" if score >= target else "time"
                return run
    run.ended = f"its program ended with code {process.wait()}"
    return run


def end(process: "subprocess.Popen[str]") -> None:
    """End a program and all that it has started."""
    tree = [process, *psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else [process]
    process.send_signal(signal.SIGTERM)
    psutil.wait_procs([each for each in tree if isinstance(each, psutil.Process)], timeout=END_SECONDS)
    for each in tree:
        if isinstance(each, psutil.Process) and each.is_running():
            each.kill()
    process.kill()
    process.wait()


def start(rival: Rival, sources: Path, folder: Path) -> "subprocess.Popen[str]":
    """Start a rival in ``folder``, with its virtual environment and its source made before."""
    python = make_python(ROOT / "benchmarks" / f".venv-{rival.key}", rival.needs) if rival.needs else sys.executable
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "snapshots").mkdir(parents=True)
    where = ROOT
    if rival.repository:
        where = folder / "source"
        copy_source(rival, sources, where)
    imports = os.pathsep.join(str(ROOT / each) for each in rival.imports)
    arguments = [argument.replace("FOLDER", os.path.relpath(folder, where)) for argument in rival.arguments]
    # Not our setting of one thread: a rival runs as its own users run it.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment |= {
        "SNAPSHOTS": str((folder / "snapshots").absolute()),
        "PYTHONUNBUFFERED": "1",
        "WANDB_MODE": "disabled",
    }
    return subprocess.Popen(
        [str(python), *arguments],
        cwd=where,
        env=environment | ({"PYTHONPATH": imports} if imports else {}) | dict(rival.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
