"""What a cluster costs: the default training on one machine, plain and by ``--cluster local``, in turn.

Each round starts all of them anew: their speeds are of the same moments of a training. On one machine the exchange
brings nothing: the parameter server and the driver take part of the two cores.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.emulators import emulator_speed
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import Events, write_result
from benchmarks.common.trainings import Training
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.saving.agent import load_weights

OUTPUT = RESULTS / "cluster" / "cost.json"
FIRST_MINUTE = 0.3  # of training, from which the speed is measured
FLOAT_BYTES = 4


def train(folder: Path, name: str, arguments: list[str], seed: int, minutes: float) -> Training:
    """Train for some minutes; return the training."""
    training = Training(folder, f"{name}-{seed}")
    limits = ["--max-minutes", str(minutes), "--total-steps", "none", "--eval-minutes", "0", "--seed", str(seed)]
    if training.start([*limits, *arguments]).wait():
        raise RuntimeError(f"the training {training.run} failed")
    return training


def measure(training: Training, minutes: float) -> dict[str, float]:
    """Return the speed of a training from its first to its last minutes, and what an exchange took."""
    events = Events(training.curves)
    times = events.series("time/minutes")
    first, last = np.interp([FIRST_MINUTE, minutes - 0.05], times.values, times.steps)
    found = {"steps_per_second": float(last - first) / (60 * (minutes - 0.05 - FIRST_MINUTE))}
    tags = [tag for tag in events.tags() if tag.startswith("machines/exchange_seconds_")]
    if tags:
        seconds = events.series(tags[0]).values
        found["exchange_milliseconds"] = 1000 * float(np.median(seconds[seconds > 0]))
    return found


def main() -> None:
    """Run the rounds, print the table, save the result."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=1.0, help="of each training [%(default)s]")
    parser.add_argument("--sync-seconds", type=float, nargs="+", default=[0.25, 1.0])
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    contenders: dict[str, list[str]] = {"plain": []} | {
        f"cluster of one, every {seconds:g} s": ["--cluster", "local", "--sync-seconds", str(seconds)]
        for seconds in options.sync_seconds
    }
    context = benchmark_context()
    bare = emulator_speed(context)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, options.rounds + 1):
            for place, (name, arguments) in enumerate(contenders.items()):
                training = train(Path(folder), f"run-{place}", arguments, number, options.minutes)
                found[name].append(measure(training, options.minutes))
                print(f"round {number}: {name}: {found[name][-1]}", flush=True)
        parameters = len(load_weights(training.snapshots()[-1]).parameters)
    rows = [row(name, rounds, found["plain"]) for name, rounds in found.items()]
    result: dict[str, Any] = {
        "command": command_line(),
        "machine": describe_machine(),
        "network": BREAKOUT.network.name,
        "emulator_steps_per_second": [round(bare), round(emulator_speed(context))],
        "bytes_an_exchange": 2 * FLOAT_BYTES * parameters,
        "rows": rows,
    }
    write_result(result, options.output)
    print("\n| | steps/s | of plain | ms an exchange |\n|---|---|---|---|")
    for each in rows:
        print(
            f"| {each['name']} | {each['steps_per_second']:,} | {each['share']:.1%} | {each['exchange_milliseconds']} |"
        )


def row(name: str, rounds: list[dict[str, float]], plain: list[dict[str, float]]) -> dict[str, Any]:
    """Return the medians of a contender's rounds, and of their ratios to the plain training of the same round."""
    shares = [mine["steps_per_second"] / other["steps_per_second"] for mine, other in zip(rounds, plain, strict=True)]
    milliseconds = [each["exchange_milliseconds"] for each in rounds if "exchange_milliseconds" in each]
    return {
        "name": name,
        "steps_per_second": round(statistics.median(each["steps_per_second"] for each in rounds)),
        "share": round(statistics.median(shares), 3),
        "share_of_rounds": [round(share, 3) for share in shares],
        "exchange_milliseconds": round(statistics.median(milliseconds), 1) if milliseconds else None,
    }


if __name__ == "__main__":
    main()
