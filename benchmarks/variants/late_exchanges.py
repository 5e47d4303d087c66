"""train.py with each actor-learner as a machine of its own, which exchanges differences after so many agent steps.

It plays the lateness of a cluster that is larger than the machine at hand: between two exchanges each machine makes
STEPS steps, and so do the others. Called with STEPS before the options of train.py.
"""

import functools
import sys
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from breakout_a3c.cluster.exchange import Counts, GlobalState, GroupExchange, weight_of_difference
from breakout_a3c.commands import train
from breakout_a3c.config import TrainConfig
from breakout_a3c.launch import launch
from breakout_a3c.learning.actor_learner import run_actor_learner
from breakout_a3c.learning.optimizer import make_optimizer
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.training import supervisor


def run_machine(
    steps: int, config: TrainConfig, shared: SharedParameters, learner_id: int, pipe: Connection, play_state: Tensor
) -> None:
    """Be an actor-learner with parameters and optimizer of its own; ``shared.parameters`` are those of the server.

    Args:
        steps: Between two exchanges.
        config: The run's settings.
        shared: What all share.
        learner_id: Index of this machine.
        pipe: To the trainer.
        play_state: As ``run_actor_learner`` takes it.
    """
    server, own = shared.parameters, shared.parameters.clone()
    shared.parameters = own
    shared.optimizer = make_optimizer(len(own), config.optimizer)
    shared.optimizer_updates = lambda: int(shared.updates[learner_id])  # type: ignore[method-assign]
    weight = weight_of_difference(config.learners.count)
    exchange = GroupExchange(f"{learner_id}", own, GlobalState(own.numpy().copy()))
    push, exchanged = shared.push, int(shared.steps[learner_id])

    def push_and_exchange(learner_id: int, step: Tensor) -> None:
        nonlocal exchanged
        push(learner_id, step)
        if shared.steps[learner_id] - exchanged >= steps:
            exchanged = int(shared.steps[learner_id])
            difference = exchange.difference(Counts())
            server.add_(torch.from_numpy(difference.vector), alpha=weight)
            applied = {difference.group: difference.number}
            exchange.take(GlobalState(server.numpy().copy(), applied=applied))

    shared.push = push_and_exchange  # type: ignore[method-assign]
    run_actor_learner(config, shared, learner_id, pipe, play_state)


def main() -> int:
    """Train with such machines."""
    target = functools.partial(run_machine, int(sys.argv.pop(1)))
    supervisor.Supervisor = functools.partial(supervisor.Supervisor, target=target)  # type: ignore[misc]
    return train.main()


if __name__ == "__main__":
    launch("benchmarks.variants.late_exchanges")
