"""What a training takes while it runs: memory, CPU of the trainer itself, open files, threads.

Starts ``train.py``, looks at its processes every ten seconds, and stops it by SIGTERM. Arguments that are
not this script's go to ``train.py``.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result

HERE = Path(__file__).parent
SAMPLE_SECONDS = 10.0
WARM_UP_MINUTES = 2.0  # until all games are loaded and every buffer has been filled


def sample(trainer: psutil.Process, began: float) -> dict[str, float]:
    """Return one row: memory in MB (PSS), CPU seconds so far, descriptors and threads of the whole tree.

    Raises:
        psutil.Error: If the trainer has ended.
    """
    processes = [trainer, *trainer.children(recursive=True)]
    trainer_memory = trainer.memory_full_info().pss
    memory, files, threads = 0, 0, 0
    for process in processes:
        try:
            memory += process.memory_full_info().pss
            files += process.num_fds()
            threads += process.num_threads()
        except psutil.Error:
            continue  # it has just ended
    seconds = time.monotonic() - began
    return {
        "minutes": round(seconds / 60, 2),
        "memory_mb": round(memory / 2**20),
        "trainer_memory_mb": round(trainer_memory / 2**20),
        "trainer_cpu_seconds": round(sum(trainer.cpu_times()[:2]), 1),
        "processes": len(processes),
        "files": files,
        "threads": threads,
    }


def summarise(series: list[dict[str, float]]) -> dict[str, Any]:
    """Return how memory moved after the warm-up, and the trainer's share of one core over that time."""
    steady = [row for row in series if row["minutes"] >= WARM_UP_MINUTES]
    first, last = steady[0], steady[-1]
    minutes = last["minutes"] - first["minutes"]
    halves = steady[: len(steady) // 2], steady[len(steady) // 2 :]
    first_half, second_half = (round(statistics.fmean(row["memory_mb"] for row in half)) for half in halves)
    return {
        "minutes": round(minutes, 1),
        "memory_mb_first_half": first_half,
        "memory_mb_second_half": second_half,
        "memory_mb_peak": max(row["memory_mb"] for row in series),
        "trainer_share_of_a_core": round(
            (last["trainer_cpu_seconds"] - first["trainer_cpu_seconds"]) / (60 * minutes), 4
        ),
        "files": [first["files"], last["files"]],
        "threads": [first["threads"], last["threads"]],
    }


def main() -> None:
    """Train for a while, keep the series, print its summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--log", type=Path, default=HERE / "results" / "resources.log", help="what train.py prints")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "resources.json")
    options, arguments = parser.parse_known_args()
    command = [sys.executable, str(HERE.parent / "train.py"), *arguments]
    series = []
    with options.log.open("w") as log:
        training = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        trainer, began = psutil.Process(training.pid), time.monotonic()
        while training.poll() is None and time.monotonic() - began < options.minutes * 60:
            time.sleep(SAMPLE_SECONDS)
            with suppress(psutil.Error):  # the training has ended
                series.append(sample(trainer, began))
        training.send_signal(signal.SIGTERM)
        training.wait()
    summary = summarise(series)
    result = {"command": " ".join(sys.argv), "machine": describe_machine(), "summary": summary, "series": series}
    write_result(result, options.output)
    for name, value in summary.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
