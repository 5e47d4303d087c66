"""What each change to a recipe does to learning: ``python benchmarks/study.py [NAME ...] --seeds 1 2``.

A recipe is the breakout preset with other options. Each runs to the same number of agent steps under the
schedules of the whole training; its score against steps is kept, and how well its last parameters play.
Steps, not minutes: two of them may then run at a time, beside other work. What a change costs in time is measured
by ``throughput.py``, alone on the machine. What is done is kept in ``results/study``, so that the script can be
stopped and called again.
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result
from breakout_a3c.errors import UserError
from breakout_a3c.playing.curves import read_curve
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.evaluation_pool import evaluate_on_all_cores
from breakout_a3c.processes.start import Context, process_context
from breakout_a3c.saving.agent import load_agent
from breakout_a3c.saving.checkpoints import load_checkpoint

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "study"
PROTOCOL = Protocol(episodes=30, seed=900)
CURVE_POINTS = 50


STOPPED_BY_SIGTERM = 128 + signal.SIGTERM
RECIPES = {  # options of train.py
    "preset": "",
    "newest parameters play": "--average-steps 0",
    "average over 400,000 steps": "--average-steps 400000",
    "rollout 10": "--rollout-length 10",
    "rollout 20": "--rollout-length 20",
    "rollout 40": "--rollout-length 40",
    "rollout 20, lambda 1": "--rollout-length 20 --gae-lambda 1",
    "rollout 20, 8 games": "--rollout-length 20 --envs 8",
    "rollout 20, gamma 0.995": "--rollout-length 20 --gamma 0.995",
    "rollout 20, Adam 3e-4": "--rollout-length 20 --optimizer adam --learning-rate 3e-4 --square-decay 0.999",
    "8 games": "--envs 8",
    "32 games": "--envs 32",
    "lambda 1": "--gae-lambda 1",
    "gamma 0.995": "--gamma 0.995",
    "learning rate 7e-4": "--learning-rate 7e-4",
    "learning rate 1e-3": "--learning-rate 1e-3",
    "learning rate 1.4e-3": "--learning-rate 1.4e-3",
    "not symmetric": "--no-symmetric",
    "limit of 0.001 nats": "--max-kl 0.001",
    "limit of 0.016 nats": "--max-kl 0.016",
    "no limit of the policy": "--max-kl none",
    "no limit of the values": "--max-value-change none",
    "no warm-up": "--warmup-updates 0",
    "no limit of the policy, learning rate 1e-3": "--max-kl none --learning-rate 1e-3",
    "alpha 0.999": "--square-decay 0.999",
    "Adam 3e-4": "--optimizer adam --learning-rate 3e-4 --square-decay 0.999",
    "clip at 0.1": "--max-grad-norm 0.1",
    "clip at 40": "--max-grad-norm 40",
    "entropy 0.003": "--entropy-coef 0.003",
    "entropy 0.02": "--entropy-coef 0.02",
    "value coefficient 0.25": "--value-coef 0.25",
    "network nature": "--network nature",
    "4 actions": "--actions minimal",
    "a lost life is no end": "--no-terminal-on-life-loss",
    "horizon 3M": "--total-steps 3000000",
    "horizon 8M": "--total-steps 8000000",
}


def train(recipe: str, seed: int, steps: int, start: Path | None, folder: Path) -> int:
    """Train for at least ``steps`` agent steps, from nothing or from a checkpoint, and save.

    Returns:
        The exit code; 2 where a recipe's network does not fit the checkpoint.
    """
    beginning = ["--resume", str(start.resolve())] if start else ["--run", "run"]
    command = [
        sys.executable, "train.py", *beginning, *shlex.split(recipe), "--seed", str(seed),
        "--eval-minutes", "0", "--checkpoints", str(folder / "checkpoints"), "--runs", str(folder / "runs"),
    ]  # fmt: skip
    last = steps + (load_checkpoint(start).steps if start else 0)
    with subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and steps_so_far(folder / "runs") < last:
            time.sleep(2)
        process.send_signal(signal.SIGTERM)
    return process.returncode


def steps_so_far(runs: Path) -> float:
    """Return the agent steps that a training has reported."""
    try:
        return float(read_curve(next(runs.iterdir())).steps[-1])
    except (OSError, StopIteration, UserError):
        return 0


def result_of(context: Context, folder: Path) -> dict[str, Any]:
    """Return what is kept of a training in ``folder``."""
    curve = read_curve(next((folder / "runs").iterdir()))
    agent = load_agent(folder / "checkpoints" / "latest.pt")
    evaluation = evaluate_on_all_cores(context, agent, PROTOCOL, lambda played: None).to_dict()
    kept = np.unique(np.linspace(0, len(curve.steps) - 1, CURVE_POINTS).astype(int))
    return {
        "machine": describe_machine(),
        "config": agent.checkpoint.config.to_dict(),
        "steps": [round(value) for value in curve.steps[kept]],
        "scores": [round(value, 1) for value in curve.scores[kept]],
        "evaluation": {key: evaluation[key] for key in ("mean", "standard_error", "episodes", "seed", "policy")},
    }


def result_path(stage: str, name: str, seed: int) -> Path:
    """Return where the result of a recipe lies."""
    return RESULTS / stage / f"{name.replace(' ', '-').replace(',', '')}-seed-{seed}.json"


def print_table(stage: str, seeds: list[int]) -> None:
    """Print how each run that is done learned and plays."""
    print("| recipe | seed | steps | last 100 training games | evaluation |")
    print("|---|---|---|---|---|")
    for name in RECIPES:
        for seed in seeds:
            path = result_path(stage, name, seed)
            if path.exists():
                result = json.loads(path.read_text())
                played = result["evaluation"]
                print(
                    f"| {name} | {seed} | {result['steps'][-1]:,} | {result['scores'][-1]:.0f} "
                    f"| {played['mean']:.0f} ± {played['standard_error']:.0f} |"
                )


def main() -> None:
    """Run each recipe that is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="NAME", choices=[[], *RECIPES], help="recipes to run [all]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, default=1_600_000, help="agent steps of each run [%(default)s]")
    parser.add_argument("--start", type=Path, metavar="CHECKPOINT", help="go on from here with each recipe")
    options = parser.parse_args()
    stage = options.start.stem if options.start else "beginning"
    (RESULTS / stage).mkdir(parents=True, exist_ok=True)
    context = process_context("forkserver")
    for name in options.recipes or RECIPES:
        for seed in options.seeds:
            path = result_path(stage, name, seed)
            if path.exists():
                continue
            with tempfile.TemporaryDirectory() as folder:
                code = train(RECIPES[name], seed, options.steps, options.start, Path(folder))
                if code not in (0, STOPPED_BY_SIGTERM):
                    print(f"{name}, seed {seed}: train.py ended with code {code}", flush=True)
                    continue
                result = result_of(context, Path(folder))
            write_result({"recipe": name, "options": RECIPES[name], "seed": seed} | result, path)
            print(f"{name}, seed {seed}: {result['evaluation']['mean']:.0f}", flush=True)
    print_table(stage, options.seeds)


if __name__ == "__main__":
    main()
