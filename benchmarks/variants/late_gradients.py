"""train.py with gradients as late as they are where each actor-learner has a core of its own.

There, all others push an update between an actor-learner's pull and its push. Here each step waits until its
actor-learner has made the next one.
"""

import functools
from collections import deque
from multiprocessing.connection import Connection

from torch import Tensor

from breakout_a3c.commands import train
from breakout_a3c.config import TrainConfig
from breakout_a3c.launch import launch
from breakout_a3c.learning.actor_learner import run_actor_learner
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.training import supervisor

STEPS_THAT_WAIT = 1


def run_late_actor_learner(
    config: TrainConfig, shared: SharedParameters, learner_id: int, pipe: Connection, play_state: Tensor
) -> None:
    """Be an actor-learner whose steps wait; the arguments are those of ``run_actor_learner``."""
    waiting: deque[Tensor] = deque()
    push = shared.push

    def push_late(learner_id: int, step: Tensor) -> None:
        waiting.append(step.clone())
        if len(waiting) > STEPS_THAT_WAIT:
            push(learner_id, waiting.popleft())

    shared.push = push_late  # type: ignore[method-assign]
    run_actor_learner(config, shared, learner_id, pipe, play_state)


def main() -> None:
    """Train with such actor-learners."""
    supervisor.Supervisor = functools.partial(supervisor.Supervisor, target=run_late_actor_learner)  # type: ignore[misc]
    train.main()


if __name__ == "__main__":
    launch("benchmarks.variants.late_gradients")
