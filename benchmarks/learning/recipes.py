"""Trainings by changed recipes: the default settings with other options, for so many steps or minutes.

The horizon of all schedules stays that of the default, however early a training is stopped.
"""

import shlex
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.machine import describe_machine
from benchmarks.common.processes import benchmark_context
from benchmarks.common.runs import Events, read_result, thinned, write_result
from benchmarks.common.trainings import STOPPED_BY_SIGTERM, Training, play_games
from breakout_a3c.playing.curves import MINUTES, read_curve
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import load_agent
from breakout_a3c.saving.checkpoints import load_checkpoint

CURVE_POINTS = 50
LOOK_SECONDS = 1.0
RESULT_FACTS = ("mean", "standard_error", "episodes", "seed", "policy")
ALL_AT_ONCE = "-m benchmarks.variants.at_once 512"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A name, the options of ``train.py``, and what runs in its place where it has no such option."""

    name: str
    options: str
    program: str = "train.py"


@dataclass(frozen=True, slots=True)
class Limit:
    """When a training is stopped, counted from where it starts."""

    steps: float = float("inf")
    minutes: float = float("inf")


def train(recipe: Recipe, seed: int, limit: Limit, start: Path | None, training: Training) -> int:
    """Train up to the limit, from nothing or from a checkpoint, and save.

    Returns:
        The exit code; 2 where a recipe's network does not fit the checkpoint.
    """
    from_steps, from_minutes = (0, 0.0) if start is None else where(start)
    arguments = [*shlex.split(recipe.options), "--seed", str(seed), "--eval-minutes", "0"]
    events = Events(training.curves)
    with training.running(arguments, resume=start) as process:
        while process.poll() is None:
            steps, minutes = so_far(events)
            if steps >= from_steps + limit.steps or minutes >= from_minutes + limit.minutes:
                break
            time.sleep(LOOK_SECONDS)
            events.reload()
    return int(process.returncode)


def where(start: Path) -> tuple[int, float]:
    """Return the agent steps and the minutes of a checkpoint."""
    checkpoint = load_checkpoint(start)
    return checkpoint.steps, checkpoint.minutes


def so_far(events: Events) -> tuple[float, float]:
    """Return the agent steps and the minutes that a training has reported."""
    told = events.series(MINUTES)
    return (float(told.steps[-1]), float(told.values[-1])) if len(told.steps) else (0.0, 0.0)


def result_of(context: Context, training: Training, protocol: Protocol) -> dict[str, Any]:
    """Return what is kept of a training."""
    curve = read_curve(training.curves)
    agent = load_agent(training.snapshots()[-1])
    evaluation = play_games(context, agent, protocol)
    return {
        "machine": describe_machine(),
        "config": agent.checkpoint.config.to_dict(),
        **thinned(curve, len(curve.steps) - 1, CURVE_POINTS),
        "evaluation": {key: evaluation[key] for key in RESULT_FACTS},
    }


def try_recipe(
    context: Context,
    recipe: Recipe,
    seed: int,
    limit: Limit,
    path: Path,
    protocol: Protocol,
    start: Path | None = None,
) -> None:
    """Train by a recipe, and keep its result in ``path``, unless that is done."""
    if path.exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        run = load_checkpoint(start).run if start else "run"
        training = Training(Path(folder), run, program=shlex.split(recipe.program))
        code = train(recipe, seed, limit, start, training)
        if code not in (0, STOPPED_BY_SIGTERM):
            print(f"{recipe.name}, seed {seed}: train.py ended with code {code}", flush=True)
            return
        result = result_of(context, training, protocol)
    write_result({"recipe": recipe.name, "options": recipe.options, "seed": seed} | result, path)
    print(f"{recipe.name}, seed {seed}: {result['evaluation']['mean']:.0f}", flush=True)


def try_recipes(
    recipes: Sequence[Recipe], seeds: Sequence[int], limit: Limit, folder: Path, protocol: Protocol
) -> None:
    """Train by each recipe with each seed, one seed after another, and keep the results, unless that is done."""
    context = benchmark_context()
    for seed in seeds:
        for recipe in recipes:
            try_recipe(context, recipe, seed, limit, result_path(folder, recipe, seed), protocol)


def result_path(folder: Path, recipe: Recipe, seed: int) -> Path:
    """Return where the result of a recipe lies."""
    return folder / f"{recipe.name.replace(' ', '-').replace(',', '')}-seed-{seed}.json"


def results_of(folder: Path, recipes: Sequence[Recipe], seeds: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
    """Return what is kept of each recipe, a result a seed that is done."""
    found = {}
    for recipe in recipes:
        paths = [result_path(folder, recipe, seed) for seed in seeds]
        found[recipe.name] = [read_result(path) for path in paths if path.exists()]
    return found


def table(results: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """Return how each run learned and plays, as Markdown."""
    lines = ["| recipe | seed | steps | last 100 training games | fresh games |", "|---|---|---|---|---|"]
    for name, each in results.items():
        for result in each:
            played = result["evaluation"]
            lines.append(
                f"| {name} | {result['seed']} | {result['steps'][-1]:,} | {result['scores'][-1]:.0f} "
                f"| {played['mean']:.0f} ± {played['standard_error']:.0f} |"
            )
    return "\n".join(lines)
