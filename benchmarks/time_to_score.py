"""How long the default training takes to a score, as the evaluation protocol defines it.

For each seed, ``train.py`` runs with a snapshot each minute, all of them kept. Afterwards 100 fresh games
of each snapshot are played, with seeds of that snapshot's own; a score's time is the training wall-clock of
the first snapshot whose mean reaches it. The bare emulator's speed is measured before and after each sitting:
a run during which it moved by more than 15% says so, and is to be repeated. What is done is kept, so that the
script can be stopped and called again; the picture is drawn from what is kept.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result
from benchmarks.slices import run_rounds
from benchmarks.throughput import emulators, run_bare_emulator
from breakout_a3c.playing.curves import style_axis
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.evaluation_pool import evaluate_on_all_cores
from breakout_a3c.processes.start import Context, process_context
from breakout_a3c.saving.agent import load_agent

mpl.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
TARGETS = (100, 200, 300, 400)
MAX_DRIFT = 0.15
# Snapshots whose last 100 training games had a mean below this part of the lowest target are not evaluated.
WORTH_EVALUATING = 0.4
FIRST_PROTOCOL_SEED = 1000  # of the evaluations; 0 is the published model's


def emulator_speed(context: Context, seconds: float = 10.0) -> float:
    """Return the bare emulator's agent steps/s on all cores."""
    contender = emulators(context, "bare emulator", run_bare_emulator)
    run_rounds([contender], 1, seconds)
    return contender.rates[0]


def snapshots_of(seed: int, folder: Path) -> list[Path]:
    """Return the snapshots of a seed's training, oldest first."""
    return sorted((folder / "checkpoints" / f"seed-{seed}").glob("step_*.pt"))


def train(seed: int, arguments: list[str], folder: Path, log: Path) -> None:
    """Run the default training with a snapshot each minute, or go on with it where it was stopped."""
    root = HERE.parent
    work = os.path.relpath(folder, root)  # the log is kept, and is to name no path of this machine
    beginning = ["--seed", str(seed), "--run", f"seed-{seed}", *arguments]
    made = snapshots_of(seed, folder)
    command = [
        sys.executable, "train.py", *(["--resume", os.path.relpath(made[-1], root)] if made else beginning),
        "--checkpoint-minutes", "1", "--keep-checkpoints", "1000",
        "--checkpoints", f"{work}/checkpoints", "--runs", f"{work}/runs",
    ]  # fmt: skip
    with log.open("a") as out:
        training = subprocess.Popen(command, cwd=root, stdout=out, stderr=subprocess.STDOUT)
        try:
            code = training.wait()
        except KeyboardInterrupt:
            training.wait()  # Ctrl-C reached it, too, and it saves
            raise
    if code:
        raise subprocess.CalledProcessError(code, command)


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
        result = json.loads(result_file.read_text())
    if not result["trained"]:
        result["emulator_steps_per_second"].append(round(emulator_speed(context)))
        write_result(result, result_file)
        train(seed, arguments, folder, output / f"seed-{seed}.log")
        result["emulator_steps_per_second"].append(round(emulator_speed(context)))
        result["trained"] = True
        write_result(result, result_file)
    return result


def drifted(result: dict[str, Any]) -> bool:
    """Return whether the emulator's speed moved too much for the run's minutes to mean anything."""
    speeds = result["emulator_steps_per_second"]
    return bool(max(speeds) / min(speeds) - 1 > MAX_DRIFT)


def evaluate_snapshots(context: Context, result: dict[str, Any], folder: Path, output: Path) -> None:
    """Evaluate the snapshots of a run in the order in which they were made, until the last target is reached."""
    done = {snapshot["steps"] for snapshot in result["snapshots"]}
    for path in snapshots_of(result["seed"], folder):
        agent = load_agent(path)
        checkpoint = agent.checkpoint
        if not checkpoint.recent_returns or statistics.fmean(checkpoint.recent_returns) < WORTH_EVALUATING * TARGETS[0]:
            continue
        if checkpoint.steps in done:
            continue
        if any(snapshot["mean"] >= TARGETS[-1] for snapshot in result["snapshots"]):
            return
        protocol = Protocol(seed=FIRST_PROTOCOL_SEED + 100 * result["seed"] + round(checkpoint.minutes))
        facts = evaluate_on_all_cores(context, agent, protocol, lambda played: None).to_dict()
        kept = ("mean", "standard_error", "median", "min", "max", "truncated_games", "distinct_games", "seed")
        snapshot = {"minutes": round(checkpoint.minutes, 2), "steps": checkpoint.steps}
        result["snapshots"].append(snapshot | {key: facts[key] for key in kept})
        write_result(result, output / f"seed-{result['seed']}.json")
        print(f"seed {result['seed']}, {checkpoint.minutes:.1f} minutes: {facts['mean']:.1f}", flush=True)


def first_crossing(result: dict[str, Any], target: float) -> tuple[float, int] | None:
    """Return minutes and steps of the first snapshot whose mean reaches ``target``."""
    reached = (snapshot for snapshot in result["snapshots"] if snapshot["mean"] >= target)
    first = next(reached, None)
    return (first["minutes"], first["steps"]) if first else None


def print_table(results: list[dict[str, Any]]) -> None:
    """Print minutes and steps to each target, a column a seed, and the median."""
    print("\n| score | " + " | ".join(f"seed {result['seed']}" for result in results) + " | median |")
    print("|---" * (len(results) + 2) + "|")
    for target in TARGETS:
        crossings = [first_crossing(result, target) for result in results]
        cells = [f"{c[0]:.0f} min, {c[1] / 1e6:.1f}M steps" if c else "not reached" for c in crossings]
        minutes = sorted(c[0] if c else float("inf") for c in crossings)
        median = statistics.median_low(minutes)
        print(f"| {target} | " + " | ".join(cells) + (f" | {median:.0f} min |" if median < 1e9 else " | not reached |"))
    for result in results:
        if drifted(result):
            print(
                f"seed {result['seed']}: the emulator's speed moved, repeat it: {result['emulator_steps_per_second']}"
            )


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Draw the mean of each snapshot's 100 games against minutes and steps, and its standard error."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
    for result in results:
        curve = {key: np.array([snapshot[key] for snapshot in result["snapshots"]]) for key in result["snapshots"][0]}
        x_values = {"minutes of training": curve["minutes"], "million agent steps": curve["steps"] / 1e6}
        for axis, (label, x) in zip(axes, x_values.items(), strict=True):
            (line,) = axis.plot(x, curve["mean"], ".-", label=f"seed {result['seed']}")
            low, high = (curve["mean"] + sign * curve["standard_error"] for sign in (-1, 1))
            axis.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
            axis.set_xlabel(label)
            axis.set_yticks((0, *TARGETS))
            style_axis(axis)
    axes[0].set_ylabel("score: mean of 100 fresh games\n(band: standard error)")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Train and evaluate each seed that is not done yet, print the table and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="Further arguments go to train.py.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, default=HERE / "work" / "time_to_score", help="for snapshots")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "time_to_score")
    options, arguments = parser.parse_known_args()
    options.output.mkdir(parents=True, exist_ok=True)
    context = process_context("forkserver")
    results = []
    for seed in options.seeds:
        result = run_seed(context, seed, arguments, options.folder, options.output)
        evaluate_snapshots(context, result, options.folder, options.output)
        results.append(result)
    print_table(results)
    draw(results, options.output / "curves.png")


if __name__ == "__main__":
    main()
