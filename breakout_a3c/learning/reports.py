"""The reports of an actor-learner to the trainer, and the pipe that they go through.

One pipe an actor-learner, never a lock that two of them share: a process that is killed inside a lock blocks
all others for ever. An actor-learner never waits for a slow trainer: statistics are then dropped and counted,
finished games are kept for later.
"""

import math
import select
import time
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from typing import Self

import torch
from torch import Tensor

from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning.losses import Losses
from breakout_a3c.learning.step_limits import PolicyChange
from breakout_a3c.processes.pipes import send_in_parts

SEND_SECONDS = 0.5
# A pipe that polls as writable takes one part of a message without blocking; 32 games need less than half of it.
GAMES_A_MESSAGE = 32


@dataclass(frozen=True, slots=True)
class UpdateMeasures:
    """What one update measured, or the means over several; None for what was not measured."""

    policy_loss: float | None = None
    value_loss: float | None = None
    entropy: float | None = None  # nats
    max_probability: float | None = None  # of the likeliest action
    grad_norm: float | None = None  # before clipping
    staleness: float | None = None  # updates of others between the pull and the push
    kl: float | None = None  # nats by which the whole step would have changed the policy
    value_change: float | None = None  # by which it would have moved the values, root mean square
    explained_variance: float | None = None  # 1 for a perfect value function

    @classmethod
    def of_update(cls, losses: Losses, grad_norm: float, change: PolicyChange | None, staleness: int) -> Self:
        """Gather the numbers of one update.

        Args:
            losses: Of the update.
            grad_norm: Before clipping.
            change: What the whole step would have changed; None where that was not measured.
            staleness: Updates of others between the pull and the push.
        """
        return cls(
            policy_loss=float(losses.policy),
            value_loss=float(losses.value),
            entropy=float(losses.entropy),
            max_probability=float(losses.max_probability),
            grad_norm=grad_norm,
            staleness=staleness,
            kl=change.kl if change is not None else None,
            value_change=change.value if change is not None else None,
        )


MEASURES = tuple(spec.name for spec in fields(UpdateMeasures))


class RunningMeans:
    """Means of measures, each over the updates that measured it as a finite number."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys(MEASURES, 0.0)
        self._weights = dict.fromkeys(MEASURES, 0)

    def add(self, measures: UpdateMeasures, updates: int = 1) -> None:
        """Take in the measures of an update, or the means over several."""
        for name in MEASURES:
            value = getattr(measures, name)
            if value is not None and math.isfinite(value):
                self._sums[name] += updates * value
                self._weights[name] += updates

    def means(self) -> UpdateMeasures:
        """Return the means so far."""
        return UpdateMeasures(**{name: self._sums[name] / n for name, n in self._weights.items() if n})


@dataclass(frozen=True, slots=True)
class LearnerReport:
    """Finished games, and the statistics of the updates since the last report; where the games stand, at the end."""

    learner_id: int
    games: list[FinishedGame]
    measures: UpdateMeasures = UpdateMeasures()  # means over the updates
    updates: int = 0
    updates_not_finite: int = 0
    reports_dropped: int = 0
    play_state: bytes = b""


@dataclass(frozen=True, slots=True)
class LearnerFailure:
    """The traceback of the exception that ended an actor-learner."""

    learner_id: int
    traceback: str


def explained_variance(advantages: Tensor, returns: Tensor) -> float:
    """Return 1 - Var(R - V) / Var(R): 1 for a perfect value function, nan for constant returns."""
    variance = float(returns.var(correction=0))
    return 1 - float(advantages.var(correction=0)) / variance if variance > 0 else math.nan


class ReportSender:
    """The actor-learner's end of its pipe.

    Args:
        learner_id: Who reports.
        pipe: Its write end.
    """

    def __init__(self, learner_id: int, pipe: Connection) -> None:
        self._learner_id = learner_id
        self._pipe = pipe
        self._poll = select.poll()
        self._poll.register(pipe.fileno(), select.POLLOUT)
        self._games: list[FinishedGame] = []
        self._not_finite = self._dropped = 0
        self._begin()
        self._sent_at = time.monotonic()

    def _begin(self) -> None:
        """Begin the means of the next report."""
        self._means = RunningMeans()
        self._updates = 0
        self._values: list[tuple[Tensor, Tensor]] = []  # advantages and returns since the last report

    def add(
        self, measures: UpdateMeasures | None, advantages: Tensor, returns: Tensor, games: list[FinishedGame]
    ) -> None:
        """Take in one update and the games that ended in it, and report when that is due.

        Args:
            measures: Of the update; None where gradient or step were not finite.
            advantages: ``(T, B)``; with the returns they tell how well the value explains them.
            returns: ``(T, B)``.
            games: Finished since the last call.
        """
        self._games += games
        if measures is None:
            self._not_finite += 1
        else:
            self._means.add(measures)
            self._updates += 1
            self._values.append((advantages.flatten(), returns.flatten()))
        if time.monotonic() - self._sent_at >= SEND_SECONDS:
            self._send_without_waiting()

    def _send_without_waiting(self) -> None:
        self._sent_at = time.monotonic()
        if self._poll.poll(0):
            self._send(GAMES_A_MESSAGE)
        else:  # the counts go with the next report, the means are lost
            self._dropped += 1
            self._begin()

    def _send(self, games: int, play_state: bytes = b"") -> None:
        if self._values:
            advantages, returns = (torch.cat(parts) for parts in zip(*self._values, strict=True))
            explained = UpdateMeasures(explained_variance=explained_variance(advantages, returns))
            self._means.add(explained)
        sent, self._games = self._games[:games], self._games[games:]
        report = LearnerReport(
            self._learner_id, sent, self._means.means(), self._updates, self._not_finite, self._dropped, play_state
        )
        self._not_finite = self._dropped = 0
        self._begin()
        send_in_parts(self._pipe, report)

    def close(self, play_state: bytes) -> None:
        """Send what is left and where the games stand, waiting for the trainer if need be."""
        self._send(len(self._games), play_state)
        self._pipe.close()

    def fail(self, traceback: str) -> None:
        """Send the traceback that ends this actor-learner."""
        send_in_parts(self._pipe, LearnerFailure(self._learner_id, traceback))
