"""What each change to a recipe does to learning: ``python benchmarks/study.py [NAME ...] --seeds 1 2``.

A recipe is the breakout preset with other options. Each runs to the same number of agent steps under the
schedules of the whole training; its score against steps is kept, and how well its last parameters play.
Steps, not minutes: two of them may then run at a time, beside other work. What a change costs in time is measured
by ``throughput.py``, alone on the machine. What is done is kept in ``results/study``, so that the script can be
stopped and called again.

A change that is no option is a patch in ``study/`` to the commit that its name begins with.
"""

import argparse
import io
import json
import shlex
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result
from breakout_a3c.checkpoints import load_checkpoint
from breakout_a3c.curves import read_curve
from breakout_a3c.errors import UserError
from breakout_a3c.evaluation import Protocol
from breakout_a3c.evaluation_pool import evaluate_on_all_cores
from breakout_a3c.models import load_agent
from breakout_a3c.processes import Context, process_context

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "study"
PROTOCOL = Protocol(episodes=30, seed=900)
CURVE_POINTS = 50


@dataclass(frozen=True, slots=True)
class Recipe:
    """Options of train.py, and a patch to its code where they are not enough."""

    options: str = ""
    patch: str = ""


RECIPES: dict[str, Recipe] = {
    "preset": Recipe(),
    "newest parameters play": Recipe("--average-steps 0"),
    "average over 400,000 steps": Recipe("--average-steps 400000"),
    "rollout 10": Recipe("--rollout-length 10"),
    "rollout 20": Recipe("--rollout-length 20"),
    "rollout 40": Recipe("--rollout-length 40"),
    "rollout 20, learning rate 2e-3": Recipe("--rollout-length 20 --learning-rate 2e-3"),
    "rollout 40, learning rate 2e-3": Recipe("--rollout-length 40 --learning-rate 2e-3"),
    "rollout 20, lambda 1": Recipe("--rollout-length 20 --gae-lambda 1"),
    "rollout 20, 8 games": Recipe("--rollout-length 20 --envs-per-thread 8"),
    "rollout 20, gamma 0.995": Recipe("--rollout-length 20 --gamma 0.995"),
    "rollout 20, Adam 3e-4": Recipe("--rollout-length 20 --optimizer adam --learning-rate 3e-4 --rmsprop-alpha 0.999"),
    "8 games": Recipe("--envs-per-thread 8"),
    "32 games": Recipe("--envs-per-thread 32"),
    "lambda 1": Recipe("--gae-lambda 1"),
    "gamma 0.995": Recipe("--gamma 0.995"),
    "learning rate 7e-4": Recipe("--learning-rate 7e-4"),
    "learning rate 1.4e-3": Recipe("--learning-rate 1.4e-3"),
    "learning rate 2e-3": Recipe("--learning-rate 2e-3"),
    "alpha 0.999": Recipe("--rmsprop-alpha 0.999"),
    "Adam 3e-4": Recipe("--optimizer adam --learning-rate 3e-4 --rmsprop-alpha 0.999"),
    "clip at 0.1": Recipe("--max-grad-norm 0.1"),
    "clip at 40": Recipe("--max-grad-norm 40"),
    "entropy 0.003": Recipe("--entropy-coef 0.003"),
    "entropy 0.02": Recipe("--entropy-coef 0.02"),
    "value coefficient 0.25": Recipe("--value-coef 0.25"),
    "network nature": Recipe("--network nature"),
    "4 actions": Recipe("--actions minimal"),
    "a lost life is no end": Recipe("--no-terminal-on-life-loss"),
    "horizon 4M": Recipe("--total-steps 4000000"),
    "horizon 16M": Recipe("--total-steps 16000000"),
}


def unpack(recipe: Recipe, folder: Path) -> Path:
    """Return the program to run: this one, or the patched one in ``folder``."""
    root = HERE.parent
    if not recipe.patch:
        return root
    patch = HERE / "study" / recipe.patch
    archive = subprocess.run(["git", "archive", recipe.patch.split("-")[0]], cwd=root, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    subprocess.run(["git", "apply", "--unsafe-paths", f"--directory={folder}", str(patch)], cwd=folder, check=True)
    return folder


def train(recipe: Recipe, seed: int, steps: int, start: Path | None, folder: Path) -> None:
    """Train for at least ``steps`` agent steps, from nothing or from a checkpoint, and save."""
    program = unpack(recipe, folder / "code")
    beginning = ["--resume", str(start.resolve())] if start else ["--run", "run"]
    command = [
        sys.executable, "train.py", *beginning, *shlex.split(recipe.options), "--seed", str(seed),
        "--eval-minutes", "0", "--checkpoints", str(folder / "checkpoints"), "--runs", str(folder / "runs"),
    ]  # fmt: skip
    last = steps + (load_checkpoint(start).steps if start else 0)
    with subprocess.Popen(command, cwd=program, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and steps_so_far(folder / "runs") < last:
            time.sleep(2)
        process.send_signal(signal.SIGTERM)


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
                train(RECIPES[name], seed, options.steps, options.start, Path(folder))
                result = result_of(context, Path(folder))
            write_result({"recipe": name, "options": RECIPES[name].options, "seed": seed} | result, path)
            print(f"{name}, seed {seed}: {result['evaluation']['mean']:.0f}", flush=True)
    print_table(stage, options.seeds)


if __name__ == "__main__":
    main()
