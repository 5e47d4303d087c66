"""The parameter server: holds the global parameters, and passes on what the groups report.

One that was started again holds nothing. It waits a moment for what the groups and the driver have last seen, and goes
on from the newest of that. So no difference that was answered is lost, unless the group that has the newest state is
lost at the same time. The reports since the driver's last call are lost.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from breakout_a3c.cluster.exchange import Counts, Difference, GlobalState, Vector, weight_of_difference
from breakout_a3c.cluster.options import MAX_SYNC_SECONDS
from breakout_a3c.learning.reports import LearnerReport

OFFER_SECONDS = 2 * MAX_SYNC_SECONDS  # that it waits for a newer state, once there is one
SILENT_SECONDS = 5 * MAX_SYNC_SECONDS  # without a difference: a group is cut off, or gone


@dataclass(frozen=True, slots=True)
class GroupNews:
    """What a group tells the driver."""

    group: str
    reports: list[LearnerReport]
    done: Counts  # in the life of the group
    seconds: float  # on the group's own clock
    alive: int  # actor-learners
    deaths: int  # of actor-learners, in the life of the group
    error: str  # of the last death; empty where there was none since the last news
    exchange_seconds: float  # that the last exchange took
    square_average: Vector | None = None  # of the optimizer, now and then
    gradient_average: Vector | None = None
    unfinished: int = 0  # actor-learners that had to be killed at the end


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answers; ``state`` is None while it holds nothing."""

    state: GlobalState | None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Collected:
    """What the driver gets; ``state`` is None while the server holds nothing."""

    state: GlobalState | None
    news: list[GroupNews]


class ParameterServer:
    """Applies differences in the order in which they come.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state: GlobalState | None = None
        self._offered: GlobalState | None = None
        self._offers_end = 0.0
        self._news: list[GroupNews] = []
        self._heard: dict[str, float] = {}  # when each group's last difference came
        self._stopped = False

    def begin(self, state: GlobalState) -> None:
        """Hold a state from the start on."""
        self._state = state

    def offer(self, state: GlobalState) -> None:
        """Take the state that a group or the driver has seen last, if it is the newest of those that are offered."""
        if self._state is not None:
            return
        if self._offered is None:
            self._offers_end = self._clock() + OFFER_SECONDS
        if self._offered is None or state.version > self._offered.version:
            self._offered = state

    def exchange(self, difference: Difference, news: GroupNews) -> Answer:
        """Apply a group's difference, and answer with what all have come to; its news count once, with that."""
        self._settle()
        if self._state is not None and not self._state.has(difference):
            self._heard[difference.group] = self._clock()
            self._state = self._state.with_difference(difference, weight_of_difference(self._groups()))
            self._news.append(news)
        return Answer(self._state, self._stopped)

    def collect(self, stopped: bool) -> Collected:
        """Return the state and the news since the last call.

        Args:
            stopped: Whether the groups are to finish.
        """
        self._stopped = stopped
        self._settle()
        news, self._news = self._news, []
        return Collected(self._state, news)

    def _groups(self) -> int:
        """Return how many groups learn at present."""
        return sum(self._clock() - heard < SILENT_SECONDS for heard in self._heard.values())

    def _settle(self) -> None:
        """Go on from the newest state that was offered, once there was time for all."""
        if self._state is None and self._offered is not None and self._clock() >= self._offers_end:
            self._state = self._offered
