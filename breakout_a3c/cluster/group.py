"""One machine of a cluster: its supervisor and actor-learners, and their exchanges with the parameter server."""

import time
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from breakout_a3c.cluster.exchange import Difference, GlobalState, GroupExchange
from breakout_a3c.cluster.group_parameters import GroupParameters, GroupStart
from breakout_a3c.cluster.parameter_server import Answer, GroupNews
from breakout_a3c.learning.reports import LearnerReport
from breakout_a3c.processes.start import Context
from breakout_a3c.training.clocks import Clock
from breakout_a3c.training.supervisor import ActorLearnersCannotRun, Supervisor

POLL_SECONDS = 0.05
POLL_FOR_ANSWER_SECONDS = 0.005
AVERAGES_SECONDS = 10.0  # between two times that the optimizer's averages are sent, too
LAST_SEND_SECONDS = 10.0  # that the last difference may take
# A group that gets no answers pauses after this time (bounded staleness, Ho et al. 2013): the sum of what two groups
# learned apart from each other for 20 s was no policy of CartPole.
AHEAD_SECONDS = 2.0


class LinkBroken(Exception):
    """The parameter server could not be reached, or did not answer; what was sent may have arrived."""


class Link(Protocol):
    """The way to the parameter server."""

    def send(self, difference: Difference, news: GroupNews) -> None:
        """Begin an exchange.

        Raises:
            LinkBroken: If nothing could be sent.
        """

    def answer(self) -> Answer | None:
        """Return the answer, None as long as there is none.

        Raises:
            LinkBroken: If none is to come.
        """

    def offer(self, state: GlobalState) -> None:
        """Offer a state to a server that holds none."""


class Group:
    """The actor-learners of one machine.

    Args:
        start: What it starts from.
        context: Starts the processes.
        link: To the parameter server.
    """

    def __init__(self, start: GroupStart, context: Context, link: Link) -> None:
        self._start = start
        self._link = link
        self._shared = GroupParameters.of_start(start)
        self._exchange = GroupExchange(start.group, self._shared.parameters, start.state)
        # Games of its own: a machine or a run that starts again plays others, too.
        origin = (start.config.upkeep.seed, start.index, start.state.counts.updates)
        config = start.config.replace(seed=int(np.random.SeedSequence(origin).generate_state(1)[0] >> 1))
        play_states = {
            number: torch.frombuffer(bytearray(state), dtype=torch.uint8)
            for number, state in start.play_states.items()
            if state
        }
        self._supervisor = Supervisor(context, config, self._shared, play_states)
        self._reports: list[LearnerReport] = []
        self._due = Clock(start.sync_seconds)
        self._averages_due = Clock(AVERAGES_SECONDS)
        self._averages_due.due_in(0)
        self._sent_at: float | None = None  # of an exchange without an answer
        self._news: GroupNews | None = None  # that goes with it
        self._answered_at = time.monotonic()
        self._exchange_seconds = 0.0
        self._stopped = False

    def run(self) -> str:
        """Train until the run is over or the driver says so; return what keeps it from training, normally nothing."""
        failure = ""
        try:
            self._supervisor.start()
            while not self._supervisor.finished and not self._stopped:
                waits = self._sent_at is not None
                self._reports += self._supervisor.poll(POLL_FOR_ANSWER_SECONDS if waits else POLL_SECONDS)
                self._exchange_when_due()
        except ActorLearnersCannotRun as error:
            failure = str(error)
        self._reports += self._supervisor.stop()
        arrived = self._send_last()
        return failure or ("" if arrived else "the last that it learned did not arrive")

    def _exchange_when_due(self) -> None:
        """Take an answer, or begin an exchange, whichever it is time for; without answers, learn no more."""
        if time.monotonic() >= self._answered_at + AHEAD_SECONDS + self._start.sync_seconds:
            self._shared.pause(True)
        if self._sent_at is not None:
            self._receive()
        elif self._due.due():
            self._send(with_averages=self._averages_due.due())

    def _receive(self) -> bool:
        """Take an answer that has come; return whether what was sent has gone in."""
        try:
            answer = self._link.answer()
        except LinkBroken:
            self._sent_at = None  # the same difference is sent again
            return False
        return answer is not None and self._take(answer)

    def _send(self, with_averages: bool) -> None:
        """Begin an exchange, or begin again the one whose difference has not gone in."""
        difference = self._exchange.difference(self._shared.done())
        if difference.number == 1:
            self._shared.set_minutes(self._start.minutes)  # the driver counts from the first group's first news, too
        if self._news is None:
            self._news = self._take_news(with_averages)
        self._sent_at = time.monotonic()
        try:
            self._link.send(difference, self._news)
        except LinkBroken:
            self._sent_at = None

    def _take_news(self, with_averages: bool) -> GroupNews:
        """Return what the driver is to know, since the last time."""
        optimizer = self._shared.optimizer
        news = GroupNews(
            group=self._start.group,
            reports=[self._numbered(report) for report in self._reports],
            done=self._shared.done(),
            seconds=time.monotonic(),
            alive=self._supervisor.alive,
            deaths=self._supervisor.deaths,
            error=self._supervisor.error,
            exchange_seconds=self._exchange_seconds,
            square_average=optimizer.square_average.numpy().copy() if with_averages else None,
            gradient_average=optimizer.gradient_average.numpy().copy() if with_averages else None,
            unfinished=self._supervisor.unfinished,
        )
        self._reports, self._supervisor.error = [], ""
        return news

    def _take(self, answer: Answer) -> bool:
        """Add what others did; return whether what was sent has gone in."""
        assert self._sent_at is not None
        self._exchange_seconds, self._sent_at = time.monotonic() - self._sent_at, None
        self._stopped |= answer.stopped
        if answer.state is None:
            self._link.offer(self._exchange.seen)
            return False
        if not self._exchange.take(answer.state):
            return False
        self._news = None
        self._shared.set_elsewhere(self._exchange.elsewhere())
        self._shared.pause(False)
        self._answered_at = time.monotonic()
        return True

    def _numbered(self, report: LearnerReport) -> LearnerReport:
        """Return a report with the number of its actor-learner among those of all machines."""
        return replace(report, learner_id=report.learner_id + self._start.index * self._start.config.learners.count)

    def _send_last(self) -> bool:
        """Send what is left, with the last reports; return whether it has arrived."""
        deadline = time.monotonic() + LAST_SEND_SECONDS
        is_older = self._news is not None  # what is under way was taken before the end
        while time.monotonic() < deadline:
            if self._sent_at is None:
                self._send(with_averages=True)
            time.sleep(POLL_FOR_ANSWER_SECONDS)
            if self._sent_at is not None and self._receive():
                if not is_older:
                    return True
                is_older = False
        return False
