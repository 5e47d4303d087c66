"""The paper's settings, and a synchronous A2C with ours: each trained as long as the default, by the clock.

The default's runs are those of ``time_to_score.py``, which come first: the longest of them says how long the
others train, over which time their learning rate and entropy are annealed. Afterwards 100 fresh games of each
contender's last checkpoint are played. What is done is kept, so that the script can be stopped and called again;
the picture is drawn from the logs.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import write_result
from benchmarks.time_to_score import run_seed, snapshots_of
from breakout_a3c.playing.curves import style_axis
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.evaluation_pool import evaluate_on_all_cores
from breakout_a3c.processes.start import Context, process_context
from breakout_a3c.saving.agent import load_agent

mpl.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
OURS = "A3C, preset breakout"
CONTENDERS = {
    "A3C, preset paper": ("paper", ["--preset", "paper"]),
    "A2C, 16 games": ("a2c", ["--algorithm", "a2c", "--envs", "16"]),
}
PROTOCOL_SEED = 1900  # of the evaluations, beyond those of time_to_score.py
LOG_LINE = re.compile(r"([\d,]+) steps +([\d.]+) min .* score ([\d.]+) ")


def read_log(path: Path) -> tuple[NDArray[np.float64], ...]:
    """Return minutes, agent steps and mean score of the last 100 training games, ``(N,)`` each, of a training's log."""
    columns = zip(*(match.groups() for match in LOG_LINE.finditer(path.read_text())), strict=True)
    steps, minutes, scores = (np.array([float(number.replace(",", "")) for number in column]) for column in columns)
    return minutes, steps, scores


def train_and_evaluate(context: Context, seed: int, arguments: list[str], folder: Path, output: Path) -> dict[str, Any]:
    """Do what is not done yet, and keep it; return what is known of the run."""
    output.mkdir(parents=True, exist_ok=True)
    result = run_seed(context, seed, arguments, folder, output)
    if "evaluation" not in result:
        agent = load_agent(snapshots_of(seed, folder)[-1])
        facts = evaluate_on_all_cores(context, agent, Protocol(seed=PROTOCOL_SEED), lambda played: None).to_dict()
        result["evaluation"] = {"steps": agent.checkpoint.steps} | facts
        write_result(result, output / f"seed-{seed}.json")
    return result


def draw(logs: dict[str, list[Path]], path: Path) -> None:
    """Draw the score of the training games against minutes and steps, a line a seed, a colour a contender."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
    for number, (name, paths) in enumerate(logs.items()):
        for seed, log in enumerate(paths):
            minutes, steps, scores = read_log(log)
            for axis, x in zip(axes, (minutes, steps / 1e6), strict=True):
                axis.plot(x, scores, color=f"C{number}", label="_" * (seed > 0) + name, linewidth=1.2)
    for axis, label in zip(axes, ("minutes of training", "million agent steps"), strict=True):
        axis.set_xlabel(label)
        style_axis(axis)
    axes[0].set_ylabel("score: mean of the last 100 training games")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Train and evaluate each contender that is not done yet, print the table and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--folder", type=Path, default=HERE / "work" / "extensions", help="for checkpoints")
    parser.add_argument("--ours", type=Path, default=HERE / "results" / "time_to_score", help="what that script kept")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "extensions")
    options = parser.parse_args()
    logs = {OURS: sorted(options.ours.glob("seed-*.log"))}
    if not logs[OURS]:
        sys.exit(f"{options.ours} holds no run of the default settings: run benchmarks/time_to_score.py first.")
    minutes = max(read_log(log)[0][-1] for log in logs[OURS])
    context = process_context("forkserver")
    print("| contender | seed | agent steps | mean of 100 games |\n|---|---|---|---|")
    for name, (key, arguments) in CONTENDERS.items():
        output = options.output / key
        limited = [*arguments, "--total-steps", "none", "--max-minutes", f"{minutes}"]
        for seed in options.seeds:
            facts = train_and_evaluate(context, seed, limited, options.folder / key, output)["evaluation"]
            steps, score = facts["steps"], f"{facts['mean']:.1f} ± {facts['standard_error']:.1f}"
            print(f"| {name} | {seed} | {steps:,} | {score} |", flush=True)
        logs[name] = [output / f"seed-{seed}.log" for seed in options.seeds]
    draw(logs, options.output / "curves.png")


if __name__ == "__main__":
    main()
