"""What a training takes while it runs: memory, CPU of the trainer itself, open files, threads.

Starts ``train.py``, looks at its processes every ten seconds, and stops it by SIGTERM.
"""

import statistics
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, WORK, from_root
from benchmarks.common.processes import SAMPLE_SECONDS, sample
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from benchmarks.common.trainings import Training, stop

OUTPUT = RESULTS / "resources" / "resources.json"
WARM_UP_MINUTES = 2.0  # until all games are loaded and every buffer has been filled


def watch(minutes: float, arguments: list[str], log: Path) -> list[dict[str, float]]:
    """Train for a while; return a row for each look at the processes."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    training = Training(WORK / "resources", time.strftime("resources-%Y%m%d-%H%M%S")).start(arguments, log=log)
    trainer, began = psutil.Process(training.pid), time.monotonic()
    series = []
    try:
        while training.poll() is None and time.monotonic() - began < minutes * 60:
            time.sleep(min(SAMPLE_SECONDS, minutes * 60))
            with suppress(psutil.Error):  # the training has ended
                series.append(sample(trainer, began))
    finally:
        stop(training)
    return series


def summarise(series: list[dict[str, float]]) -> dict[str, Any]:
    """Return how memory moved after the warm-up, and the trainer's fraction of one core over that time."""
    steady = [row for row in series if row["minutes"] >= WARM_UP_MINUTES]
    first, last = steady[0], steady[-1]
    minutes = last["minutes"] - first["minutes"]
    halves = steady[: len(steady) // 2], steady[len(steady) // 2 :]
    first_half, second_half = (round(statistics.fmean(row["memory_mb"] for row in half)) for half in halves)
    cpu_seconds = last["trainer_cpu_seconds"] - first["trainer_cpu_seconds"]
    return {
        "minutes": round(minutes, 1),
        "memory_mb_first_half": first_half,
        "memory_mb_second_half": second_half,
        "memory_mb_peak": max(row["memory_mb"] for row in series),
        "trainer_share_of_a_core": round(cpu_seconds / (60 * minutes), 4),
        "files": [first["files"], last["files"]],
        "threads": [first["threads"], last["threads"]],
    }


def main() -> None:
    """Train for a while, keep the series, print its summary."""
    parser = make_parser(__doc__, epilog="Further arguments go to train.py.")
    parser.add_argument("--minutes", type=float, default=30.0, help=f"more than {WARM_UP_MINUTES:g} [%(default)s]")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"the log goes beside it [{from_root(OUTPUT)}]")
    options, arguments = parser.parse_known_args()
    if options.minutes < WARM_UP_MINUTES + 1:
        parser.error(f"--minutes is {options.minutes:g}: the first {WARM_UP_MINUTES:g} are not counted, give more")
    series = watch(options.minutes, arguments, options.output.with_suffix(".log"))
    summary = summarise(series)
    result = {"command": command_line(), "machine": describe_machine(), "summary": summary, "series": series}
    write_result(result, options.output)
    for name, value in summary.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
