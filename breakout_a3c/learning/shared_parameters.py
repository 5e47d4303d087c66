"""What the actor-learners share, and how parameters travel between them.

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
from breakout_a3c.processes.turns import Turns


class SharedParameters:
    """One flat float32 vector of parameters, the optimizer's statistics, the run's counters, and whose turn it is.

    Passing it to a process shares the memory; nothing is copied.

    Args:
        parameters: ``(P,)`` float32 initial values.
        config: The optimizer's constants and the number of actor-learners.
    """

    def __init__(self, parameters: Tensor, config: TrainConfig) -> None:
        assert parameters.dtype == torch.float32, f"shared parameters must be float32, not {parameters.dtype}"
        assert parameters.dim() == 1, f"shared parameters must be one vector, not {tuple(parameters.shape)}"
        self._config = config
        self.parameters = parameters.clone().share_memory_()  # (P,) float32
        self.square_average = torch.zeros_like(self.parameters).share_memory_()  # (P,), of the gradient's squares
        averaged = len(parameters) if config.optimizer == "adam" else 0
        self.gradient_average = torch.zeros(averaged).share_memory_()  # (P,) for Adam, else empty
        # One slot a worker, so that no two of them write the same word; the sums are the counts.
        self.steps = torch.zeros(config.actor_learners, dtype=torch.int64).share_memory_()
        self.updates = torch.zeros(config.actor_learners, dtype=torch.int64).share_memory_()
        self.games = torch.zeros(config.actor_learners, dtype=torch.int64).share_memory_()
        self._stop = torch.zeros(1, dtype=torch.uint8).share_memory_()
        self._turns = Turns(config.actor_learners)
        # time.monotonic() at which this run would have begun had it run without a break.
        self._began = torch.tensor([time.monotonic()], dtype=torch.float64).share_memory_()

    @classmethod
    def of_network(cls, network: ActorCritic, config: TrainConfig) -> Self:
        """Share a copy of a network's parameters."""
        return cls(LocalParameters(network).float32_parameters(), config)

    def restore(self, averages: tuple[Tensor, Tensor], counts: tuple[int, int, int], minutes: float) -> None:
        """Go on where a checkpoint was made.

        Args:
            averages: Of the squared gradients ``(P,)``, and Adam's of the gradients ``(P,)``, which begins
                anew after another optimizer's ``(0,)``.
            counts: Agent steps, updates and games.
            minutes: Of training.
        """
        for average, values in zip((self.square_average, self.gradient_average), averages, strict=True):
            if len(values) == len(average):
                average.copy_(values)
        for counter, total in zip((self.steps, self.updates, self.games), counts, strict=True):
            workers = len(counter)
            counter.fill_(total // workers)
            counter[0] += total % workers
        self._began[0] = time.monotonic() - minutes * 60

    def count(self, worker_id: int, steps: int, updated: bool, games: int) -> None:
        """Count a worker's rollout of ``steps`` agent steps, whether it was pushed, and the games that ended in it."""
        self.steps[worker_id] += steps
        self.updates[worker_id] += updated
        self.games[worker_id] += games

    def total_steps(self) -> int:
        """Return the agent steps of all actor-learners."""
        return int(self.steps.sum())

    def total_updates(self) -> int:
        """Return the updates of all actor-learners."""
        return int(self.updates.sum())

    def total_games(self) -> int:
        """Return the games that all actor-learners have finished."""
        return int(self.games.sum())

    def minutes(self) -> float:
        """Return the minutes of training, those before a resume included."""
        return (time.monotonic() - float(self._began)) / 60

    def progress(self) -> float:
        """Return how much of the run is done, 0 to 1; it drives every schedule."""
        return self._config.progress(self.total_steps(), self.minutes(), self.total_games())

    def turns(self, worker_id: int) -> Iterator[float]:
        """Wait for each turn of a worker, and yield the run's progress in it, until the run is over."""
        over = False
        while not over:
            with self._turns.wait(worker_id):
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
    def direction(self, gradient: Tensor) -> Tensor:
        """Take a gradient into the shared statistics of RMSprop or Adam; return the step for a learning rate of 1.

        RMSprop (Mnih et al. 2016, equations S2 and S3) is ``g <- alpha g + (1 - alpha) d^2``, then
        ``theta <- theta - lr d / sqrt(g + eps)`` as in the paper, or ``theta <- theta - lr d /
        (sqrt(g / (1 - alpha^n)) + eps)``, where the number n of updates corrects for ``g`` having
        started from zero. Adam (Kingma and Ba 2015, algorithm 1) is the latter with a running mean
        of the gradients, corrected alike, in place of ``d``.

        Args:
            gradient: ``(P,)`` float32, finite.

        Returns:
            ``(P,)``, the fraction behind ``lr``.
        """
        config = self._config
        alpha, beta = config.rmsprop_alpha, config.adam_beta1
        self.square_average.mul_(alpha).addcmul_(gradient, gradient, value=1 - alpha)
        if config.rmsprop_eps_inside_root:
            return gradient.div((self.square_average + config.rmsprop_eps).sqrt_())
        updates = self.total_updates() + 1
        root = (self.square_average / (1 - alpha**updates)).sqrt_().add_(config.rmsprop_eps)
        if config.optimizer == "rmsprop":
            return gradient.div(root)
        mean: Tensor = self.gradient_average.mul_(beta).add_(gradient, alpha=1 - beta)
        return mean.div(root.mul_(1 - beta**updates))

    @torch.no_grad()
    def push(self, step: Tensor) -> None:
        """Move the parameters by ``-step``, ``(P,)`` float32."""
        self.parameters.sub_(step)
