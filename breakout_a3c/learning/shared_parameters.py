"""What the actor-learners share: parameters, optimizer, counters, and whose turn it is.

All of it lies in shared memory and is written without locks (Hogwild, Recht et al. 2011; Mnih et
al. 2016, section 4): a pull may see a mix of two versions and an update may be lost, which the
algorithm bears. Aligned words are never torn, and no message is built on the order of two writes.
Where there are fewer cores than actor-learners, these take turns.
"""

import time
from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.learning.optimizer import make_optimizer
from breakout_a3c.processes.turns import Turns


class SharedParameters:
    """One flat float32 vector of parameters, the optimizer, the run's counters, and whose turn it is.

    Passing it to a process shares the memory; nothing is copied.

    Args:
        parameters: ``(P,)`` float32 initial values.
        config: The optimizer, the number of actor-learners and the length of the run.
    """

    def __init__(self, parameters: Tensor, config: TrainConfig) -> None:
        assert parameters.dtype == torch.float32, f"shared parameters must be float32, not {parameters.dtype}"
        assert parameters.dim() == 1, f"shared parameters must be one vector, not {tuple(parameters.shape)}"
        self._schedule = config.schedule
        self.parameters = parameters.clone().share_memory_()  # (P,) float32
        self.optimizer = make_optimizer(len(parameters), config.optimizer)
        # One slot an actor-learner, so that no two of them write the same word; the sums are the counts.
        learners = config.learners.count
        self.steps = torch.zeros(learners, dtype=torch.int64).share_memory_()
        self.updates = torch.zeros(learners, dtype=torch.int64).share_memory_()
        self.games = torch.zeros(learners, dtype=torch.int64).share_memory_()
        self._stop = torch.zeros(1, dtype=torch.uint8).share_memory_()
        self._turns = Turns(learners)
        # time.monotonic() at which this run would have begun had it run without a break.
        self._began = torch.tensor([time.monotonic()], dtype=torch.float64).share_memory_()

    @classmethod
    def of_network(cls, network: ActorCritic, config: TrainConfig) -> Self:
        """Share a copy of a network's parameters."""
        return cls(LocalParameters(network).float32_parameters(), config)

    def restore_counts(self, steps: int, updates: int, games: int, minutes: float) -> None:
        """Go on with the counters of a checkpoint."""
        self.set_counts(steps, updates, games)
        self.set_minutes(minutes)

    def set_minutes(self, minutes: float) -> None:
        """Go on from so many minutes of training."""
        self._began[0] = time.monotonic() - minutes * 60

    def set_counts(self, steps: int, updates: int, games: int) -> None:
        """Set the counters, while nobody counts."""
        for counter, total in ((self.steps, steps), (self.updates, updates), (self.games, games)):
            learners = len(counter)
            counter.fill_(total // learners)
            counter[0] += total % learners

    def count(self, learner_id: int, steps: int, games: int) -> None:
        """Count a rollout of ``steps`` agent steps, and the games that ended in it."""
        self.steps[learner_id] += steps
        self.games[learner_id] += games

    def total_steps(self) -> int:
        """Return the agent steps of all actor-learners."""
        return int(self.steps.sum())

    def total_updates(self) -> int:
        """Return the updates of all actor-learners."""
        return int(self.updates.sum())

    def optimizer_updates(self) -> int:
        """Return the updates that are in the optimizer's averages."""
        return self.total_updates()

    def total_games(self) -> int:
        """Return the games that all actor-learners have finished."""
        return int(self.games.sum())

    def minutes(self) -> float:
        """Return the minutes of training, those before a resume included."""
        return (time.monotonic() - float(self._began)) / 60

    def progress(self) -> float:
        """Return how much of the run is done, 0 to 1; it drives every schedule."""
        return self._schedule.progress(self.total_steps(), self.minutes(), self.total_games())

    def turns(self, learner_id: int) -> Iterator[float]:
        """Wait for each turn of an actor-learner, and yield the run's progress in it, until the run is over."""
        over = False
        while not over:
            with self._turns.wait(learner_id):
                progress = self.progress()
                over = self.stopped or progress >= 1
                if not over:
                    yield progress

    def stop(self) -> None:
        """Tell every process to finish what it is doing and leave."""
        self._stop[0] = 1

    @property
    def stopped(self) -> bool:
        """Whether the processes were told to leave."""
        return bool(self._stop.item())

    @torch.no_grad()
    def push(self, learner_id: int, step: Tensor) -> None:
        """Move the parameters by ``-step``, ``(P,)`` float32, and count the update."""
        self.parameters.sub_(step)
        self.updates[learner_id] += 1
