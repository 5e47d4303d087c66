"""Differences of parameters, exchanged without barrier or lock: arithmetic over vectors.

Each group of actor-learners moves its own copy of the parameters. Now and then it sends what it added since its last
exchange, and goes on from what all have come to. A difference has a number, so that one that is sent twice counts once.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Vector = NDArray[np.float32]  # (P,)
# Groups whose differences are summed up whole. Of more of them, each counts for less: the groups learn much the same at
# the same time, and what four learn summed up goes so far that nothing is learned (docs/notes/lateness.md).
SUMMED_GROUPS = 2


def weight_of_difference(groups: int) -> float:
    """Return how much of a difference counts where so many groups learn at the same time."""
    return min(1.0, SUMMED_GROUPS / max(1, groups))


class Counts(NamedTuple):
    """What was done: agent steps, updates, finished games."""

    steps: int = 0
    updates: int = 0
    games: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Return the sum."""
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def less(self, other: "Counts") -> "Counts":
        """Return the difference."""
        return Counts(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class Difference:
    """What a group added to the parameters, and what it did for that, since its last exchange."""

    group: str
    number: int  # 1, 2, ... in the life of a group
    vector: Vector
    counts: Counts


@dataclass(frozen=True, slots=True)
class GlobalState:
    """The parameters of the whole run, and what has gone into them."""

    parameters: Vector
    counts: Counts = Counts()
    version: int = 0  # how many differences
    applied: dict[str, int] = field(default_factory=dict)  # the number of each group's last one

    def has(self, difference: Difference) -> bool:
        """Return whether a difference has gone in."""
        return self.applied.get(difference.group, 0) >= difference.number

    def with_difference(self, difference: Difference, weight: float = 1.0) -> "GlobalState":
        """Return the state after a difference, of which so much counts; the same where it has gone in before."""
        if self.has(difference):
            return self
        return GlobalState(
            self.parameters + np.float32(weight) * difference.vector,
            self.counts.plus(difference.counts),
            self.version + 1,
            self.applied | {difference.group: difference.number},
        )


class GroupExchange:
    """A group's side of the exchange.

    The actor-learners write while this adds what others did, without a lock: of two writes to a word at once, one may
    be lost, here as between actor-learners (Hogwild).

    Args:
        group: Its name, which no other group ever has.
        parameters: ``(P,)`` float32 that its actor-learners move meanwhile; they hold those of ``seen``.
        seen: The state that it starts from.

    Attributes:
        seen: The newest state that it knows.
    """

    def __init__(self, group: str, parameters: Tensor, seen: GlobalState) -> None:
        self.seen = seen
        self._group = group
        self._parameters = parameters
        self._number = 0
        self._done = Counts()  # what was sent, and has gone in
        self._sent: Difference | None = None  # without an answer
        self._at_sending = torch.empty_like(parameters)

    def difference(self, done: Counts) -> Difference:
        """Return what is to be sent: the last one again, as long as nobody has said that it went in.

        Args:
            done: By this group in its life.
        """
        if self._sent is None:
            self._number += 1
            self._at_sending.copy_(self._parameters)
            vector: Vector = self._at_sending.numpy() - self.seen.parameters
            self._sent = Difference(self._group, self._number, vector, done.less(self._done))
        return self._sent

    def take(self, state: GlobalState) -> bool:
        """Go on from what all have come to; return whether the difference that was sent has gone in."""
        if self._sent is None or not state.has(self._sent):
            return False
        self._parameters.add_(torch.from_numpy(state.parameters - self._at_sending.numpy()))
        self._done = self._done.plus(self._sent.counts)
        self._sent = None
        self.seen = state
        return True

    def elsewhere(self) -> Counts:
        """Return what others did, as far as this group knows."""
        return self.seen.counts.less(self._done)
