"""Where one actor-learner, alone on the machine, spends its time."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import torch

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.batch import GameBatch
from breakout_a3c.learning import actor_learner
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.optimizer import SharedOptimizer
from breakout_a3c.learning.reports import ReportSender
from breakout_a3c.learning.rollout import RolloutCollector
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.saving.agent import load_weights
from breakout_a3c.training.plan import TrainingPlan, initial_parameters

WARM_UP_STEPS = 1000
TIMED = (  # whose method, and the name of its time
    (GameBatch, "step", "environment"),
    (RolloutCollector, "collect", "collect"),
    (LocalParameters, "pull", "pull and push"),
    (SharedOptimizer, "step_for", "pull and push"),
    (SharedParameters, "push", "pull and push"),
    (actor_learner, "limit_step", "step limits"),
)


def time_breakdown(config: TrainConfig, model: Path, steps: int = 40_000) -> dict[str, float]:
    """Return where one actor-learner, alone on the machine, spends its time, in us an agent step.

    Args:
        config: Its settings, of which number of actor-learners and length are others here.
        model: From which it goes on.
        steps: Agent steps that it makes, after some others in which whatever comes first is made ready.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    config = config.replace(threads=1, total_steps=WARM_UP_STEPS)
    plan = TrainingPlan(config, "breakdown", Path(), Path(), initial=load_weights(model))
    _reader, writer = Pipe(duplex=False)
    actor_learner.learn(config, initial_parameters(plan), 0, ReportSender(0, writer))
    config = config.replace(total_steps=steps)
    shared = initial_parameters(replace(plan, config=config))
    with timed_methods() as seconds:
        actor_learner.learn(config, shared, 0, ReportSender(0, writer))  # its reports fit into the pipe
        # From the first rollout on: loading the games is not learning.
        total = time.perf_counter() - seconds.pop("began")
    collect = seconds.pop("collect")
    seconds["act"] = collect - seconds["environment"]
    # The pull inside the step limits is counted twice.
    seconds["train"] = total - collect - seconds["pull and push"] - seconds["step limits"]
    return {name: round(1e6 * value / shared.total_steps(), 1) for name, value in seconds.items()}


@contextmanager
def timed_methods() -> Iterator[dict[str, float]]:
    """Time the methods of TIMED inside the ``with`` block; yield their seconds by name."""
    seconds: dict[str, float] = defaultdict(float)
    originals = [getattr(owner, method) for owner, method, _ in TIMED]
    for (owner, method, name), original in zip(TIMED, originals, strict=True):
        setattr(owner, method, timed(original, seconds, name))
    try:
        yield seconds
    finally:
        for (owner, method, _), original in zip(TIMED, originals, strict=True):
            setattr(owner, method, original)


def timed(function: Callable[..., Any], seconds: dict[str, float], name: str) -> Callable[..., Any]:
    """Return ``function`` with its time added to ``seconds[name]``."""

    def run(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        seconds.setdefault("began", began)
        result = function(*args, **kwargs)
        seconds[name] += time.perf_counter() - began
        return result

    return run
