"""What an actor-learner tells the trainer, and the pipe that it goes through.

One pipe a worker, never a lock that two workers share: whoever is killed inside a lock blocks all
others for ever. A worker never waits for a slow trainer: statistics are then dropped and counted,
finished games are kept for later.
"""

import math
import select
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning.losses import Losses
from breakout_a3c.learning.step_limits import Change
from breakout_a3c.processes.pipes import send_in_parts

SEND_SECONDS = 0.5
# A pipe that polls as writable takes one part of a message without blocking; 32 games need less than half of it.
GAMES_A_MESSAGE = 32


@dataclass(slots=True)
class UpdateStatistics:
    """Means over the updates since the last report."""

    count: int = 0
    dropped: int = 0
    not_finite: int = 0
    means: dict[str, float] = field(default_factory=dict)

    def add(self, values: dict[str, float]) -> None:
        """Count one update."""
        self.count += 1
        for name, value in values.items():
            mean = self.means.get(name, 0.0)
            self.means[name] = mean + (value - mean) / self.count


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """Finished games, and the statistics of the updates since the last report; where the games stand, at the end."""

    worker_id: int
    games: list[FinishedGame]
    statistics: UpdateStatistics
    play_state: bytes = b""


@dataclass(frozen=True, slots=True)
class WorkerFailure:
    """The traceback of the exception that ended a worker."""

    worker_id: int
    traceback: str


def explained_variance(advantages: Tensor, returns: Tensor) -> float:
    """Return 1 - Var(R - V) / Var(R): 1 for a perfect value function, nan for constant returns."""
    variance = float(returns.var(correction=0))
    return 1 - float(advantages.var(correction=0)) / variance if variance > 0 else math.nan


class ReportSender:
    """The worker's end of its pipe.

    Args:
        worker_id: Who reports.
        pipe: Its write end.
    """

    def __init__(self, worker_id: int, pipe: Connection) -> None:
        self._worker_id = worker_id
        self._pipe = pipe
        self._poll = select.poll()
        self._poll.register(pipe.fileno(), select.POLLOUT)
        self._games: list[FinishedGame] = []
        self._statistics = UpdateStatistics()
        self._explained: list[tuple[Tensor, Tensor]] = []  # advantages and returns since the last report
        self._sent_at = time.monotonic()

    def add(
        self,
        pushed: bool,
        losses: Losses,
        grad_norm: float,
        change: Change,
        staleness: int,
        advantages: Tensor,
        returns: Tensor,
        games: list[FinishedGame],
    ) -> None:
        """Take in one update and the games that ended in it, and report when that is due.

        Args:
            pushed: Whether gradient and step were finite, and so pushed.
            losses: Of the update.
            grad_norm: Before clipping.
            change: What the whole step would have changed; nothing where that was not measured.
            staleness: Updates of others between the pull and the push.
            advantages: ``(T, B)``; with the returns they tell how well the value explains them.
            returns: ``(T, B)``.
            games: Finished since the last call.
        """
        self._games += games
        if not pushed:
            self._statistics.not_finite += 1
        else:
            self._statistics.add(
                {
                    "train/policy_loss": float(losses.policy),
                    "train/value_loss": float(losses.value),
                    "train/entropy": float(losses.entropy),
                    "rollout/max_probability": float(losses.max_probability),
                    "train/grad_norm": grad_norm,
                    "train/approx_kl": change.kl,
                    "train/value_change": change.value,
                    "async/staleness_updates": staleness,
                }
            )
            self._explained.append((advantages.flatten(), returns.flatten()))
        if time.monotonic() - self._sent_at >= SEND_SECONDS:
            self._send_without_waiting()

    def _send_without_waiting(self) -> None:
        self._sent_at = time.monotonic()
        statistics, self._statistics = self._statistics, UpdateStatistics()
        if self._poll.poll(0):
            self._send(statistics, GAMES_A_MESSAGE)
        else:  # the counts go with the next report, the means are lost
            self._statistics.dropped = statistics.dropped + 1
            self._statistics.not_finite = statistics.not_finite
            self._explained = []

    def _send(self, statistics: UpdateStatistics, games: int, play_state: bytes = b"") -> None:
        if self._explained:
            advantages, returns = (torch.cat(parts) for parts in zip(*self._explained, strict=True))
            statistics.means["train/explained_variance"] = explained_variance(advantages, returns)
            self._explained = []
        told, self._games = self._games[:games], self._games[games:]
        send_in_parts(self._pipe, WorkerReport(self._worker_id, told, statistics, play_state))

    def close(self, play_state: bytes) -> None:
        """Send what is left and where the games stand, waiting for the trainer if need be."""
        self._send(self._statistics, len(self._games), play_state)
        self._pipe.close()

    def fail(self, traceback: str) -> None:
        """Send the traceback that ends this worker."""
        send_in_parts(self._pipe, WorkerFailure(self._worker_id, traceback))
