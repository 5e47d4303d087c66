"""How long the default training takes to a score, as the evaluation protocol defines it.

For each seed, ``train.py`` runs with a snapshot each minute, all of them kept. Afterwards 100 fresh games
of each snapshot are played, with seeds of that snapshot's own; a score's time is the training wall-clock of
the first snapshot whose mean reaches it. The bare emulator's speed is measured before and after each sitting:
a run during which it moved by more than 15% says so, and is to be repeated. What is done is kept, so that the
program can be stopped and called again; the picture is drawn from what is kept.
"""

import statistics
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.drawing import BY_MINUTES_AND_STEPS, draw_band, two_charts
from benchmarks.common.emulators import emulator_speed
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, WORK, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import add_draw_option, make_parser
from benchmarks.common.runs import first_reaching, read_result, write_result
from benchmarks.common.trainings import Training, play_games
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import load_agent

OUTPUT = RESULTS / "time_to_score"
TARGETS = (100, 200, 300, 400)
MAX_DRIFT = 0.15
# Snapshots whose last 100 training games had a mean below this part of the lowest target are not evaluated.
WORTH_EVALUATING = 0.4
FIRST_PROTOCOL_SEED = 1000  # of the evaluations; 0 is the published model's
SNAPSHOT_FACTS = ("mean", "standard_error", "median", "min", "max", "truncated_games", "distinct_games", "seed")


def train(training: Training, seed: int, arguments: list[str], log: Path) -> None:
    """Run the default training with a snapshot each minute, or go on with it where it was stopped."""
    made = training.snapshots()
    beginning = [] if made else ["--seed", str(seed), *arguments]
    snapshots = ["--checkpoint-minutes", "1", "--keep-checkpoints", "1000"]
    with training.running([*beginning, *snapshots], resume=made[-1] if made else None, log=log) as process:
        code = process.wait()
    if code:
        raise subprocess.CalledProcessError(code, f"train.py, whose output is in {log}")


def run_seed(context: Context, seed: int, arguments: list[str], folder: Path, output: Path) -> dict[str, Any]:
    """Train with one seed, as far as that was not done before; return and keep what is known of the run."""
    result_file = output / f"seed-{seed}.json"
    result: dict[str, Any] = {
        "seed": seed,
        "arguments": arguments,
        "machine": describe_machine(),
        "emulator_steps_per_second": [],  # before and after each sitting
        "trained": False,
        "snapshots": [],
    }
    if result_file.exists():
        result = read_result(result_file)
    if not result["trained"]:
        result["emulator_steps_per_second"].append(round(emulator_speed(context)))
        write_result(result, result_file)
        train(training_of(seed, folder), seed, arguments, output / f"seed-{seed}.log")
        result["emulator_steps_per_second"].append(round(emulator_speed(context)))
        result["trained"] = True
        write_result(result, result_file)
    return result


def training_of(seed: int, folder: Path) -> Training:
    """Return the training with one seed."""
    return Training(folder, f"seed-{seed}")


def drifted(result: dict[str, Any]) -> bool:
    """Return whether the emulator's speed moved too much for the run's minutes to mean anything."""
    speeds = result["emulator_steps_per_second"]
    return bool(max(speeds) / min(speeds) - 1 > MAX_DRIFT)


def evaluate_snapshots(context: Context, result: dict[str, Any], folder: Path, output: Path) -> None:
    """Evaluate the snapshots of a run in the order in which they were made, until the last target is reached."""
    done = {snapshot["steps"] for snapshot in result["snapshots"]}
    for path in training_of(result["seed"], folder).snapshots():
        agent = load_agent(path)
        checkpoint = agent.checkpoint
        if not checkpoint.recent_returns or statistics.fmean(checkpoint.recent_returns) < WORTH_EVALUATING * TARGETS[0]:
            continue
        if checkpoint.steps in done:
            continue
        if first_crossing(result, TARGETS[-1]):
            return
        protocol = Protocol(seed=FIRST_PROTOCOL_SEED + 100 * result["seed"] + round(checkpoint.minutes))
        facts = play_games(context, agent, protocol)
        snapshot = {"minutes": round(checkpoint.minutes, 2), "steps": checkpoint.steps}
        result["snapshots"].append(snapshot | {key: facts[key] for key in SNAPSHOT_FACTS})
        write_result(result, output / f"seed-{result['seed']}.json")
        print(f"seed {result['seed']}, {checkpoint.minutes:.1f} minutes: {facts['mean']:.1f}", flush=True)


def first_crossing(result: dict[str, Any], target: float) -> tuple[float, float] | None:
    """Return minutes and steps of the first snapshot whose mean reaches ``target``."""
    return first_reaching(((s["minutes"], s["steps"], s["mean"]) for s in result["snapshots"]), target)


def table(results: list[dict[str, Any]]) -> str:
    """Return minutes and steps to each target as Markdown, a column a seed, and the median."""
    lines = [
        "| mean score | " + " | ".join(f"seed {result['seed']}" for result in results) + " | median |",
        "|---" * (len(results) + 2) + "|",
    ]
    for target in TARGETS:
        crossings = [first_crossing(result, target) for result in results]
        cells = [f"{c[0]:.0f} min, {c[1] / 1e6:.1f}M steps" if c else "not reached" for c in crossings]
        lines.append(f"| {target} | " + " | ".join([*cells, minutes_text(median_minutes(results, target))]) + " |")
    return "\n".join(lines)


def median_minutes(results: list[dict[str, Any]], target: float) -> float | None:
    """Return the median of the minutes to ``target`` over the seeds; None where most did not reach it."""
    crossings = [first_crossing(result, target) for result in results]
    median = statistics.median_low(sorted(c[0] if c else float("inf") for c in crossings))
    return None if median == float("inf") else median


def minutes_text(minutes: float | None) -> str:
    """Return minutes as a cell of a table."""
    return "not reached" if minutes is None else f"{minutes:.0f} min"


def drift_warnings(results: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for each run during which the machine changed its speed."""
    return [
        f"seed {result['seed']}: the emulator's speed moved, repeat it: {result['emulator_steps_per_second']}"
        for result in results
        if drifted(result)
    ]


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Draw the mean of each snapshot's 100 games against minutes and steps, and its standard error."""
    y_label = "score: mean of 100 fresh games\n(band: standard error)"
    with two_charts(path, BY_MINUTES_AND_STEPS, y_label, size=(11, 4)) as axes:
        for result in results:
            points = result["snapshots"]
            minutes, steps, means, errors = (
                np.array([point[key] for point in points]) for key in ("minutes", "steps", "mean", "standard_error")
            )
            for axis, x in zip(axes, (minutes, steps / 1e6), strict=True):
                draw_band(axis, x, means, means - errors, means + errors, f"seed {result['seed']}", ".-")
                axis.set_yticks((0, *TARGETS))
        axes[0].legend(frameon=False)


def main() -> None:
    """Train and evaluate each seed that is not done yet, print the table and draw the curves."""
    parser = make_parser(__doc__, epilog="Further arguments go to train.py.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, default=WORK / "time_to_score", help="for snapshots")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    add_draw_option(parser)
    options, arguments = parser.parse_known_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if options.draw:
        results = [read_result(options.output / f"seed-{seed}.json") for seed in options.seeds]
    else:
        context = benchmark_context()
        results = []
        for seed in options.seeds:
            result = run_seed(context, seed, arguments, options.folder, options.output)
            evaluate_snapshots(context, result, options.folder, options.output)
            results.append(result)
    print("", table(results), *drift_warnings(results), sep="\n")
    draw(results, options.output / "curves.png")


if __name__ == "__main__":
    main()
