"""Hours of training seen from outside: do memory, descriptors, threads and speed stay where they were?

Starts ``train.py`` with evaluations of up to 108,000 frames a game and a checkpoint every two minutes, looks at its
processes every ten seconds, stops all of them in the middle (SIGSTOP, SIGCONT) as a laptop that sleeps does, and ends
the training by SIGTERM. Then the half after the pause is compared with the half before. With ``--init-from MODEL`` (and
``--no-symmetric``, if that was trained so) some games last as long as they may, as those of a beginner do not. The exit
code is 0 if nothing grew.
"""

import fcntl
import os
import statistics
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, WORK, from_root
from benchmarks.common.processes import SAMPLE_SECONDS, sample
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import Events, write_result
from benchmarks.common.trainings import STOPPED_BY_SIGTERM, Training, stop
from breakout_a3c.saving.checkpoints import load_checkpoint

OUTPUT = RESULTS / "soak" / "soak.json"
FOLDER = WORK / "soak"
WARM_UP_FRACTION = 0.1  # of the whole time: every buffer has been filled, every kind of game played
CURVES = {  # of the trainer's own: the value at each sample
    "steps_per_second": "time/fps",
    "reports_dropped": "async/reports_dropped",
    "workers_replaced": "async/workers_replaced",
    "updates_not_finite": "async/updates_not_finite",
    "score": "rollout/ep_rew_mean",
    "truncated_games": "rollout/truncated_games",
}
# What the second half may be of the first; a smaller one of speed, a larger one of the others.
MOST = {"memory_mb": 1.05, "files": 1.0, "threads": 1.0, "processes": 1.0, "backlog_bytes": 1.0}
LEAST = {"steps_per_second": 0.9}
NEVER = ("reports_dropped", "workers_replaced", "updates_not_finite")


def start(training: Training, minutes: float, arguments: list[str]) -> "subprocess.Popen[bytes]":
    """Start the training; its schedules reach their end a little after it is stopped."""
    training.folder.mkdir(parents=True, exist_ok=True)
    length = ["--total-steps", "none", "--max-minutes", str(1.1 * minutes), "--checkpoint-minutes", "2"]
    return training.start([*length, *arguments], log=training.folder / f"{training.run}.log")


def pause(trainer: psutil.Process, minutes: float) -> None:
    """Stop every process of the training for a while."""
    processes = [trainer, *trainer.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    time.sleep(60 * minutes)
    for process in reversed(processes):
        with suppress(psutil.NoSuchProcess):
            process.resume()


def backlog(trainer: psutil.Process) -> int:
    """Return how many bytes wait in the pipes from which the trainer reads."""
    waiting = 0
    folder = Path(f"/proc/{trainer.pid}/fd")
    for link in folder.iterdir():
        with suppress(OSError):  # closed by now, or only written to
            if not str(link.readlink()).startswith("pipe:"):
                continue
            pipe = os.open(link, os.O_RDONLY | os.O_NONBLOCK)
            waiting += struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"0000"))[0]
            os.close(pipe)
    return waiting


def watch(process: "subprocess.Popen[bytes]", minutes: float, pause_minutes: float) -> list[dict[str, Any]]:
    """Sample the training until the time is over, the pause in the middle; say to which half each row belongs."""
    trainer, began = psutil.Process(process.pid), time.monotonic()
    warm_up, middle = WARM_UP_FRACTION * minutes, minutes / 2
    series: list[dict[str, Any]] = []
    paused = False
    while process.poll() is None and time.monotonic() - began < 60 * minutes:
        time.sleep(SAMPLE_SECONDS)
        try:
            now = {**sample(trainer, began), "backlog_bytes": backlog(trainer)}
        except (psutil.Error, OSError):
            break  # the trainer has died, which its exit code will tell
        row: dict[str, Any] = {"half": 0, "unix_seconds": round(time.time()), **now}
        if row["minutes"] >= warm_up:
            row["half"] = 2 if paused else 1
        series.append(row)
        if not paused and row["minutes"] >= middle:
            pause(trainer, pause_minutes)
            paused = True
            time.sleep(SAMPLE_SECONDS)  # what was due meanwhile is done
    return series


def add_curves(series: list[dict[str, Any]], events: Events) -> None:
    """Add to each row what the trainer had last written to TensorBoard by then."""
    for name, tag in CURVES.items():
        curve = events.series(tag)
        for row in series:
            at = np.searchsorted(curve.times, row["unix_seconds"], side="right")
            row[name] = round(float(curve.values[at - 1]), 1) if at else 0.0


def compare_halves(series: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each figure's median in both halves, and whether it is flat."""
    halves = [[row for row in series if row["half"] == half] for half in (1, 2)]
    if not all(halves):
        return {}
    compared: dict[str, dict[str, Any]] = {}
    for name in (*MOST, *LEAST):
        first, second = (statistics.median(row[name] for row in half) for half in halves)
        flat = second >= LEAST[name] * first if name in LEAST else second <= MOST[name] * first
        compared[name] = {"first_half": first, "second_half": second, "flat": flat}
    for name in NEVER:
        first, second = halves[0][-1][name], halves[1][-1][name]
        compared[name] = {"first_half": first, "second_half": second, "flat": second == 0}
    return compared


def main() -> int:
    """Soak, keep the series, print the verdict."""
    parser = make_parser(__doc__, epilog="Further arguments go to train.py.")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--pause-minutes", type=float, default=2.0, help="for which all processes are stopped")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options, arguments = parser.parse_known_args()
    training = Training(FOLDER, time.strftime("soak-%Y%m%d-%H%M%S"))
    process = start(training, options.minutes, arguments)
    try:
        series = watch(process, options.minutes, options.pause_minutes)
    finally:
        code = stop(process)
    events = Events(training.curves)
    add_curves(series, events)
    compared = compare_halves(series)
    flat = code == STOPPED_BY_SIGTERM and bool(compared) and all(figure["flat"] for figure in compared.values())
    saved = training.snapshots()
    ended = {
        "exit_code": code,
        "steps": load_checkpoint(saved[-1]).steps if saved else 0,
        # As long as an evaluation lets them.
        "games_of_108000_frames": float(events.series("eval/truncated_games").values.sum()),
        "flat": flat,
    }
    told = {"command": command_line(), "machine": describe_machine(), **ended, **compared}
    write_result(told | {"series": series}, options.output)
    for name, value in (ended | compared).items():
        print(f"{name}: {value}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
