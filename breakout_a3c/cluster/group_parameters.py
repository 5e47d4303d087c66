"""What the actor-learners of one machine share, in a run on several."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from breakout_a3c.cluster.exchange import Counts, GlobalState, Vector
from breakout_a3c.config import TrainConfig
from breakout_a3c.learning.shared_parameters import SharedParameters

PAUSE_SECONDS = 0.05  # between two looks whether the pause is over


@dataclass(frozen=True, slots=True)
class GroupStart:
    """What a group starts from."""

    group: str
    index: int  # of its machine among those that train: its actor-learners' numbers go on from that of the one before
    config: TrainConfig
    state: GlobalState
    minutes: float  # of training so far
    square_average: Vector  # of the optimizer, as some group has it
    gradient_average: Vector
    play_states: dict[int, bytes]  # of its actor-learners' games
    sync_seconds: float
    extensions: tuple[str, ...]  # files of a user's own


class GroupParameters(SharedParameters):
    """Parameters, optimizer and counters of one machine; the counts include what others did.

    Args:
        parameters: ``(P,)`` float32.
        config: The run's settings, with the number of actor-learners of this machine.
        counts: Of the run so far.
        minutes: Of the run so far.
    """

    def __init__(self, parameters: Tensor, config: TrainConfig, counts: Counts, minutes: float) -> None:
        super().__init__(parameters, config)
        self._elsewhere = torch.tensor(counts, dtype=torch.int64).share_memory_()
        self._paused = torch.zeros(1, dtype=torch.uint8).share_memory_()
        self._before = 0  # updates in the optimizer's averages when this group began
        self.set_minutes(minutes)

    @classmethod
    def of_start(cls, start: GroupStart) -> Self:
        """Build them from what a group starts from."""
        parameters = torch.from_numpy(start.state.parameters.copy())
        shared = cls(parameters, start.config, start.state.counts, start.minutes)
        averages = (start.square_average, start.gradient_average)
        shared.optimizer.restore(*(torch.from_numpy(average.copy()) for average in averages))
        if start.square_average.any():
            shared._before = start.state.counts.updates
        return shared

    def done(self) -> Counts:
        """Return what the actor-learners of this machine have done."""
        return Counts(int(self.steps.sum()), int(self.updates.sum()), int(self.games.sum()))

    def set_elsewhere(self, elsewhere: Counts) -> None:
        """Set what others have done."""
        self._elsewhere.copy_(torch.tensor(elsewhere, dtype=torch.int64))

    def pause(self, paused: bool) -> None:
        """Let the actor-learners wait, or go on."""
        self._paused[0] = paused

    def turns(self, learner_id: int) -> Iterator[float]:
        """Wait for each turn of an actor-learner, and while the group is paused."""
        for progress in super().turns(learner_id):
            while self._paused.item() and not self.stopped:
                time.sleep(PAUSE_SECONDS)
            yield progress

    def total_steps(self) -> int:
        """Return the agent steps of all machines."""
        return super().total_steps() + int(self._elsewhere[0])

    def total_updates(self) -> int:
        """Return the updates of all machines."""
        return super().total_updates() + int(self._elsewhere[1])

    def total_games(self) -> int:
        """Return the games that all machines have finished."""
        return super().total_games() + int(self._elsewhere[2])

    def optimizer_updates(self) -> int:
        """Return the updates in the optimizer's averages: those of this machine, after those that it began with."""
        return super().total_updates() + self._before
