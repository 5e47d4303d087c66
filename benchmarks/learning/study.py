"""What each change to a recipe does to learning.

A recipe is the breakout preset with other options. Each runs to the same number of agent steps under the
schedules of the whole training; its score against steps is kept, and how well its last parameters play.
Steps, not minutes: two of them may then run at a time, beside other work. What a change costs in time is measured
by ``speed.throughput``, alone on the machine. What is done is kept, so that the program can be stopped and called
again.
"""

import shlex
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import make_parser
from benchmarks.common.runs import Events, read_result, thinned, write_result
from benchmarks.common.trainings import STOPPED_BY_SIGTERM, Training, play_games
from breakout_a3c.playing.curves import MINUTES, read_curve
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import load_agent
from breakout_a3c.saving.checkpoints import load_checkpoint

OUTPUT = RESULTS / "study"
PROTOCOL = Protocol(episodes=30, seed=900)
CURVE_POINTS = 50
LOOK_SECONDS = 2.0
RESULT_FACTS = ("mean", "standard_error", "episodes", "seed", "policy")
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


def train(recipe: str, seed: int, steps: int, start: Path | None, training: Training) -> int:
    """Train for at least ``steps`` agent steps, from nothing or from a checkpoint, and save.

    Returns:
        The exit code; 2 where a recipe's network does not fit the checkpoint.
    """
    last = steps + (load_checkpoint(start).steps if start else 0)
    arguments = [*shlex.split(recipe), "--seed", str(seed), "--eval-minutes", "0"]
    events = Events(training.curves)
    with training.running(arguments, resume=start) as process:
        while process.poll() is None and steps_so_far(events) < last:
            time.sleep(LOOK_SECONDS)
            events.reload()
    return int(process.returncode)


def steps_so_far(events: Events) -> float:
    """Return the agent steps that a training has reported."""
    steps = events.series(MINUTES).steps
    return float(steps[-1]) if len(steps) else 0.0


def result_of(context: Context, training: Training) -> dict[str, Any]:
    """Return what is kept of a training."""
    curve = read_curve(training.curves)
    agent = load_agent(training.snapshots()[-1])
    evaluation = play_games(context, agent, PROTOCOL)
    kept = thinned(curve, len(curve.steps) - 1, CURVE_POINTS)
    return {
        "machine": describe_machine(),
        "config": agent.checkpoint.config.to_dict(),
        "steps": kept["steps"],
        "scores": kept["scores"],
        "evaluation": {key: evaluation[key] for key in RESULT_FACTS},
    }


def try_recipe(context: Context, name: str, seed: int, steps: int, start: Path | None, path: Path) -> None:
    """Train by one recipe, and keep its result in ``path``."""
    with tempfile.TemporaryDirectory() as folder:
        training = Training(Path(folder), load_checkpoint(start).run if start else "run")
        code = train(RECIPES[name], seed, steps, start, training)
        if code not in (0, STOPPED_BY_SIGTERM):
            print(f"{name}, seed {seed}: train.py ended with code {code}", flush=True)
            return
        result = result_of(context, training)
    write_result({"recipe": name, "options": RECIPES[name], "seed": seed} | result, path)
    print(f"{name}, seed {seed}: {result['evaluation']['mean']:.0f}", flush=True)


def result_path(folder: Path, name: str, seed: int) -> Path:
    """Return where the result of a recipe lies."""
    return folder / f"{name.replace(' ', '-').replace(',', '')}-seed-{seed}.json"


def print_table(folder: Path, seeds: list[int]) -> None:
    """Print how each run that is done learned and plays."""
    print("| recipe | seed | steps | last 100 training games | evaluation |")
    print("|---|---|---|---|---|")
    for name in RECIPES:
        for seed in seeds:
            path = result_path(folder, name, seed)
            if path.exists():
                result = read_result(path)
                played = result["evaluation"]
                print(
                    f"| {name} | {seed} | {result['steps'][-1]:,} | {result['scores'][-1]:.0f} "
                    f"| {played['mean']:.0f} ± {played['standard_error']:.0f} |"
                )


def main() -> None:
    """Run each recipe that is not done yet, and print the table."""
    parser = make_parser(__doc__, epilog="Recipes:\n  " + "\n  ".join(RECIPES))
    parser.add_argument("recipes", nargs="*", metavar="NAME", choices=[[], *RECIPES], help="recipes to run [all]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, default=1_600_000, help="agent steps of each run [%(default)s]")
    parser.add_argument("--start", type=Path, metavar="CHECKPOINT", help="go on from here with each recipe")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="results go to a folder in it, named by the start")
    options = parser.parse_args()
    folder = options.output / (options.start.stem if options.start else "beginning")
    context = benchmark_context()
    for name in options.recipes or RECIPES:
        for seed in options.seeds:
            path = result_path(folder, name, seed)
            if not path.exists():
                try_recipe(context, name, seed, options.steps, options.start, path)
    print_table(folder, options.seeds)


if __name__ == "__main__":
    main()
