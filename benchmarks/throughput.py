"""How close training comes to the emulator's own speed: ``make bench``.

Side by side in one run: the bare emulator, our environment, and training with several numbers of
actor-learners; see slices.py.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result
from benchmarks.slices import Contender, run_rounds, started, training
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.batch import GameBatch
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning import actor_learner
from breakout_a3c.learning.actor_learner import learn
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.reports import ReportSender
from breakout_a3c.learning.rollout import RolloutCollector
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.start import Context, process_context, start_process
from breakout_a3c.saving.agent import load_weights
from breakout_a3c.training.plan import TrainingPlan, initial_parameters

RESULTS = Path(__file__).parent / "results"
MODEL = Path(__file__).resolve().parents[1] / "models" / "breakout-5m.safetensors"


def run_bare_emulator(counters: torch.Tensor, learner_id: int) -> None:
    """Act at random on the bare emulator, four frames a step, for ever; a lost game goes on from its start."""
    count = counters.numpy()
    game = make_environment(PRESETS["breakout"].game, seed=learner_id)
    assert isinstance(game, AtariGame)
    ale, actions = game.ale, game.actions
    game.reset()
    beginning = ale.cloneState()  # restoring it takes no time, where reset_game emulates 60 frames
    while True:
        for choice in random_choices(learner_id, len(actions)):
            if ale.game_over():
                ale.restoreState(beginning)
            action = actions[choice]
            for _ in range(4):
                ale.act(action)
            count[learner_id] += 1


def run_environment(counters: torch.Tensor, learner_id: int) -> None:
    """Act at random in our environment, for ever."""
    count = counters.numpy()
    game = make_environment(PRESETS["breakout"].game, seed=learner_id)
    assert isinstance(game, AtariGame)
    game.reset()
    while True:
        for choice in random_choices(learner_id, len(game.actions)):
            _, _, terminated, truncated, _ = game.step(choice)
            if terminated or truncated:
                game.reset()
            count[learner_id] += 1


def random_choices(seed: int, actions: int) -> list[int]:
    """Return a lot of random actions, drawn beforehand."""
    return torch.randint(actions, (100_000,), generator=torch.Generator().manual_seed(seed)).tolist()


def emulators(context: Context, name: str, target: Callable[..., None]) -> Contender:
    """Start one process a core that does nothing but play."""
    cores = os.cpu_count() or 1
    counters = torch.zeros(cores, dtype=torch.int64).share_memory_()
    processes = [start_process(context, name, target, counters, learner_id) for learner_id in range(cores)]
    return started(Contender(name, as_psutil(processes), lambda: int(counters.sum())))


def as_psutil(processes: list[BaseProcess]) -> list[psutil.Process]:
    """Return handles that know CPU time and memory."""
    return [psutil.Process(process.pid) for process in processes]


def make_contenders(context: Context, model: Path) -> list[Contender]:
    """Start everything that is measured; the bare emulator first."""
    breakout, paper = PRESETS["breakout"], PRESETS["paper"]
    return [
        emulators(context, "bare emulator", run_bare_emulator),
        emulators(context, "our environment", run_environment),
        *(
            training(context, f"breakout, {threads} actor-learners", breakout.replace(threads=threads), model)
            for threads in (1, 2, 4, 8, 16)
        ),
        training(context, "paper, 8 actor-learners", paper.replace(threads=8), None),
    ]


def time_breakdown(model: Path, steps: int = 40_000) -> dict[str, float]:
    """Return where one actor-learner, alone on the machine, spends its time, in us an agent step."""
    config = PRESETS["breakout"].replace(threads=1, total_steps=steps)
    shared = initial_parameters(TrainingPlan(config, "breakdown", Path(), Path(), initial=load_weights(model)))
    seconds: dict[str, float] = defaultdict(float)
    for owner, method, name in (
        (GameBatch, "step", "environment"),
        (RolloutCollector, "collect", "collect"),
        (LocalParameters, "pull", "pull and push"),
        (SharedParameters, "direction", "pull and push"),
        (SharedParameters, "push", "pull and push"),
        (actor_learner, "limit_step", "trust region"),
    ):
        setattr(owner, method, timed(getattr(owner, method), seconds, name))
    torch.set_flush_denormal(True)
    _reader, writer = Pipe(duplex=False)
    learn(config, shared, 0, ReportSender(0, writer))  # its reports fit into the pipe
    # From the first rollout on: loading the games is not learning.
    total = time.perf_counter() - seconds.pop("began")
    collect = seconds.pop("collect")
    seconds["act"] = collect - seconds["environment"]
    # The pull inside the trust region is counted twice.
    seconds["train"] = total - collect - seconds["pull and push"] - seconds["trust region"]
    return {name: round(1e6 * value / steps, 1) for name, value in seconds.items()}


def timed(function: Callable[..., Any], seconds: dict[str, float], name: str) -> Callable[..., Any]:
    """Return ``function`` with its time added to ``seconds[name]``."""

    def run(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        seconds.setdefault("began", began)
        result = function(*args, **kwargs)
        seconds[name] += time.perf_counter() - began
        return result

    return run


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the result as a Markdown table."""
    print("\n| | steps/s | frames/s | of the bare emulator | cores used | memory, MB (PSS) |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['name']} | {row['steps_per_second']:,} | {row['frames_per_second']:,} "
            f"| {row['share_of_reference']:.0%} | {row['cores_used']} | {row['memory_mb']:,} |"
        )


def main() -> None:
    """Run the rounds, print the table, save the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slice-seconds", type=float, default=6.0)
    parser.add_argument(
        "--model",
        type=Path,
        default=MODEL,
        help="what the breakout preset trains from, so that its games are those of most of a run [%(default)s]",
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "throughput.json")
    options = parser.parse_args()
    context = process_context("forkserver")
    contenders = make_contenders(context, options.model)
    run_rounds(contenders, options.rounds, options.slice_seconds)
    breakdown = time_breakdown(options.model)
    rows = [contender.summary(contenders[0]) for contender in contenders]
    print_table(rows)
    print("\none actor-learner, us an agent step:", ", ".join(f"{name} {us}" for name, us in breakdown.items()))
    result = {
        "command": " ".join(sys.argv),
        "model": options.model.name,
        "machine": describe_machine(),
        "rows": rows,
        "us_per_step_of_one_actor_learner": breakdown,
    }
    write_result(result, options.output)
    print(f"\n{options.output}")


if __name__ == "__main__":
    main()
