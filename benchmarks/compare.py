"""The methods side by side: ``make compare``.

On CartPole: A3C with 1, 3 and 8 actor-learners, A2C, TD actor-critic and REINFORCE; on Breakout: A3C and
A2C. Every method of a game gets the same wall-clock, one run after another, with several seeds. On CartPole
learning rate and entropy are annealed over that time; on Breakout the schedules are those of the whole
training, of which this is the beginning. What is done is kept in the result file, so that the script can be
stopped and called again; the pictures are drawn from that file.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result
from breakout_a3c.playing.curves import read_curve, style_axis

mpl.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
POINTS = 100  # kept of each curve
CARTPOLE = {
    "A3C, 1 actor-learner": ["--preset", "cartpole", "--threads", "1"],
    "A3C, 3 actor-learners": ["--preset", "cartpole", "--threads", "3"],
    "A3C, 8 actor-learners": ["--preset", "cartpole", "--threads", "8"],
    "A2C, 40 games": ["--preset", "cartpole-a2c"],
    "TD actor-critic": ["--preset", "td-actor-critic"],
    "REINFORCE with baseline": ["--preset", "reinforce"],
}
BREAKOUT = {
    "A3C, 8 actor-learners": ["--preset", "breakout"],
    "A2C, 16 games": ["--preset", "breakout", "--algorithm", "a2c", "--envs", "16"],
}
ANNEALED = ["--total-steps", "none", "--max-minutes"]
# Methods, minutes for each, and the limit that is the horizon of the schedules.
GAMES: dict[str, tuple[dict[str, list[str]], float, list[str]]] = {
    "cartpole": (CARTPOLE, 1.0, [*ANNEALED, "1"]),
    "breakout": (BREAKOUT, 6.0, []),
}
START_SECONDS = 20.0  # at most, until a training counts its time
TARGETS = {"cartpole": 475, "breakout": 5}  # the score whose first time the table tells; CartPole-v1 is solved at 475


def run(arguments: list[str], seed: int, minutes: float) -> dict[str, Any]:
    """Train for so long, and return the curve: minutes, steps, and the mean score of the last 100 games."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, str(HERE.parent / "train.py"), *arguments, "--seed", str(seed), "--run", "run",
            "--eval-minutes", "0", "--checkpoints", f"{folder}/checkpoints", "--runs", f"{folder}/runs",
        ]  # fmt: skip
        training = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            training.wait(60 * minutes + START_SECONDS)
        training.terminate()
        training.wait()
        curve = read_curve(Path(folder) / "runs" / "run")
    last = np.searchsorted(curve.minutes, 1.02 * minutes) - 1  # an annealed run ends a rollout later
    kept = np.unique(np.linspace(0, last, POINTS).astype(int))
    return {
        "minutes": [round(value, 3) for value in curve.minutes[kept]],
        "steps": [round(value) for value in curve.steps[kept]],
        "scores": [round(value, 1) for value in curve.scores[kept]],
    }


def band(runs: list[dict[str, Any]], x: str) -> tuple[NDArray[Any], ...]:
    """Return x values that all runs reach, and the mean, lowest and highest score there."""
    grid = np.linspace(max(r[x][0] for r in runs), min(r[x][-1] for r in runs), POINTS)
    scores = np.array([np.interp(grid, r[x], r["scores"]) for r in runs])
    return grid, scores.mean(axis=0), scores.min(axis=0), scores.max(axis=0)


def draw(game: str, methods: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw score against minutes and against steps: the mean of the seeds, and from the lowest to the highest."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), sharey=True, layout="constrained")
    for axis, x, label in zip(axes, ("minutes", "steps"), ("minutes", "agent steps"), strict=True):
        for name, runs in methods.items():
            grid, mean, low, high = band(runs, x)
            (line,) = axis.plot(grid, mean, label=name, linewidth=1.5)
            axis.fill_between(grid, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axis.set_xlabel(label)
        style_axis(axis)
    axes[1].set_xscale("log")
    axes[1].set_xlim(left=1000)
    axes[0].set_ylabel("score: mean of the last 100 games")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    seeds = len(next(iter(methods.values())))
    figure.suptitle(f"{game.capitalize()}: mean, lowest and highest of {seeds} seeds")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def first_time(run: dict[str, Any], target: float) -> tuple[float, float] | None:
    """Return minutes and steps at which the mean of the last 100 games first reached ``target``."""
    reached = zip(run["minutes"], run["steps"], run["scores"], strict=True)
    return next(((minutes, steps) for minutes, steps, score in reached if score >= target), None)


def print_table(methods: dict[str, list[dict[str, Any]]], target: float) -> None:
    """Print for each method, a value a seed: seconds and steps to ``target``, the last score, and agent steps/s."""
    print(f"\n| method | seconds to {target} | thousand steps to {target} | score at the end | steps/s |")
    print("|---|---|---|---|---|")
    for name, runs in methods.items():
        times = [first_time(run, target) for run in runs]
        cells = [
            ", ".join(f"{60 * time[0]:.0f}" if time else "-" for time in times),
            ", ".join(f"{time[1] / 1000:.0f}" if time else "-" for time in times),
            ", ".join(f"{run['scores'][-1]:.0f}" for run in runs),
            f"{np.median([run['steps'][-1] / run['minutes'][-1] / 60 for run in runs]):,.0f}",
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Run what is missing, keep it, print the table, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", nargs="+", choices=list(GAMES), default=list(GAMES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--output", type=Path, default=HERE / "results")
    options = parser.parse_args()
    for game in options.games:
        methods, minutes, limit = GAMES[game]
        path = options.output / f"compare-{game}.json"
        result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"runs": {}}
        for seed in options.seeds:
            for name, arguments in methods.items():
                runs = result["runs"].setdefault(name, {})
                if str(seed) not in runs:
                    runs[str(seed)] = run([*arguments, *limit], seed, minutes) | {"machine": describe_machine()}
                    result |= {"minutes": minutes}
                    write_result(result, path)
                    print(f"{game}, {name}, seed {seed}: {runs[str(seed)]['scores'][-1]}", flush=True)
        curves = {name: list(result["runs"][name].values()) for name in methods}
        print_table(curves, TARGETS[game])
        draw(game, curves, path.with_suffix(".png"))
        print(path.with_suffix(".png"))


if __name__ == "__main__":
    main()
