"""Hours of training seen from outside: do memory, descriptors, threads and speed stay where they were?

Starts ``train.py`` with evaluations, checkpoints and games of 108,000 frames, looks at its processes every ten
seconds, stops all of them in the middle (SIGSTOP, SIGCONT) as a laptop that sleeps does, and ends the training by
SIGTERM. Then the half after the pause is compared with the half before. Arguments that are not this script's go to
``train.py``. The exit code is 0 if nothing grew.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import time
from bisect import bisect_right
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result
from benchmarks.resources import SAMPLE_SECONDS, sample
from breakout_a3c.checkpoints import load_checkpoint

HERE = Path(__file__).parent
WORK = HERE / "work" / "soak"
WARM_UP_SHARE = 0.1  # of the whole time: every buffer has been filled, every kind of game played
STOPPED_BY_SIGTERM = 128 + signal.SIGTERM
CURVES = {  # of the trainer's own: the value at each sample
    "steps_per_second": "time/fps",
    "reports_dropped": "async/reports_dropped",
    "workers_replaced": "async/workers_replaced",
    "updates_not_finite": "async/updates_not_finite",
    "score": "rollout/ep_rew_mean",
}
# What the second half may be of the first; a smaller one of speed, a larger one of the others.
MOST = {"memory_mb": 1.05, "files": 1.0, "threads": 1.0, "processes": 1.0}
LEAST = {"steps_per_second": 0.9}
NEVER = ("reports_dropped", "workers_replaced", "updates_not_finite")


def start(run: str, minutes: float, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start the training; its schedules reach their end a little after it is stopped."""
    folders = ["--run", run, "--checkpoints", str(WORK / "checkpoints"), "--runs", str(WORK / "runs")]
    length = ["--total-steps", "none", "--max-minutes", str(1.1 * minutes), "--max-episode-frames", "108000"]
    command = [sys.executable, str(HERE.parent / "train.py"), *folders, *length, "--checkpoint-minutes", "2"]
    with (WORK / f"{run}.log").open("w") as output:
        return subprocess.Popen([*command, *arguments], stdout=output, stderr=subprocess.STDOUT)


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


def watch(training: subprocess.Popen[bytes], minutes: float, pause_minutes: float) -> list[dict[str, Any]]:
    """Sample the training until the time is over, the pause in the middle; say to which half each row belongs."""
    trainer, began = psutil.Process(training.pid), time.monotonic()
    warm_up, middle = WARM_UP_SHARE * minutes, minutes / 2
    series: list[dict[str, Any]] = []
    paused = False
    while training.poll() is None and time.monotonic() - began < 60 * minutes:
        time.sleep(SAMPLE_SECONDS)
        row: dict[str, Any] = {"half": 0, "unix_seconds": round(time.time()), **sample(trainer, began)}
        if row["minutes"] >= warm_up:
            row["half"] = 2 if paused else 1
        series.append(row)
        if not paused and row["minutes"] >= middle:
            pause(trainer, pause_minutes)
            paused = True
            time.sleep(SAMPLE_SECONDS)  # what was due meanwhile is done
    return series


def add_curves(series: list[dict[str, Any]], folder: Path) -> None:
    """Add to each row what the trainer had last written to TensorBoard by then."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    for name, tag in CURVES.items():
        points = events.Scalars(tag) if tag in events.Tags()["scalars"] else []
        times = [point.wall_time for point in points]
        for row in series:
            at = bisect_right(times, row["unix_seconds"])
            row[name] = round(points[at - 1].value, 1) if at else 0.0


def compare_halves(series: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each figure's median in both halves, and whether it is flat."""
    halves = [[row for row in series if row["half"] == half] for half in (1, 2)]
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--pause-minutes", type=float, default=2.0, help="for which all processes are stopped")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "soak.json")
    options, arguments = parser.parse_known_args()
    WORK.mkdir(parents=True, exist_ok=True)
    run = time.strftime("soak-%Y%m%d-%H%M%S")
    training = start(run, options.minutes, arguments)
    try:
        series = watch(training, options.minutes, options.pause_minutes)
    finally:
        training.send_signal(signal.SIGTERM)
        code = training.wait()
    add_curves(series, WORK / "runs" / run)
    compared = compare_halves(series)
    flat = code == STOPPED_BY_SIGTERM and all(figure["flat"] for figure in compared.values())
    ended = {"exit_code": code, "steps": load_checkpoint(WORK / "checkpoints" / "latest.pt").steps, "flat": flat}
    told = {"command": " ".join(["python", *sys.argv]), "machine": describe_machine(), **ended, **compared}
    write_result(told | {"series": series}, options.output)
    for name, value in (ended | compared).items():
        print(f"{name}: {value}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
