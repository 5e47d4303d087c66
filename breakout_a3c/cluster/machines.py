"""The driver's view of a cluster: a group on each machine, started again where one is lost.

It stands in the place of the supervisor: the trainer reports, saves and evaluates as it does on one machine.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol
from uuid import uuid4

from torch import Tensor

from breakout_a3c.cluster.exchange import Counts, GlobalState
from breakout_a3c.cluster.group import LAST_SEND_SECONDS
from breakout_a3c.cluster.group_parameters import GroupStart
from breakout_a3c.cluster.options import MAX_SYNC_SECONDS, ClusterOptions
from breakout_a3c.cluster.parameter_server import Collected, GroupNews
from breakout_a3c.config import TrainConfig
from breakout_a3c.extensions import extension_files
from breakout_a3c.learning.reports import LearnerReport
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.processes.start import Context
from breakout_a3c.training.clocks import Clock
from breakout_a3c.training.status import MachineStatus
from breakout_a3c.training.supervisor import STOP_SECONDS, ActorLearnersCannotRun

COLLECT_SECONDS = 0.5
LOOK_SECONDS = 2.0  # between two looks for machines
START_SECONDS = 90.0  # that a group may take until its first news
NOBODY_SECONDS = 60.0  # without any machine that trains, until the run ends
END_SECONDS = STOP_SECONDS + LAST_SEND_SECONDS + 2 * MAX_SYNC_SECONDS  # that groups have at the end of the run
REST_SECONDS = 10.0  # after the orderly end of a group, by whose clock the run is over, until another is started
LAST_COLLECT_SECONDS = 5.0
SPEED_NEWS = 10  # over which a machine's speed is measured
MAX_FAILURES = 3  # of a machine in a row, before it is left out


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the cluster."""

    id: str
    name: str
    cores: int


class Backend(Protocol):
    """The engine that runs the parameter server and the groups."""

    def machines(self) -> list[Machine]:
        """Return the machines that are there.

        Raises:
            ActorLearnersCannotRun: If that cannot be told any more.
        """

    def incompatibility(self, machine: Machine) -> str | None:
        """Return why a machine cannot train, as a sentence; empty if it can, None until that is known."""

    def begin(self, state: GlobalState) -> None:
        """Start the parameter server."""

    def collect(self, stopped: bool) -> Collected | None:
        """Return what the parameter server has; None while it cannot be reached."""

    def offer(self, state: GlobalState) -> None:
        """Offer a state to a parameter server that holds none."""

    def start_group(self, machine: Machine, start: GroupStart) -> None:
        """Start a group."""

    def ended(self, timeout: float) -> dict[str, str]:
        """Wait up to ``timeout`` seconds for groups that end; return what kept each from training, or an empty text.

        A group that was lost with its machine or its process raises nothing: it has a text, too.
        """

    def drop(self, group: str) -> None:
        """End a group at once."""

    def close(self) -> None:
        """End what is left."""


@dataclass(slots=True)
class RunningGroup:
    """A group, as far as its news tell."""

    machine: Machine
    index: int
    learners: int
    began: float  # on the driver's clock
    newest: GroupNews | None = None
    heard_at: float = math.nan  # on the driver's clock
    staleness: float = math.nan
    steps: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=SPEED_NEWS))  # (seconds, steps so far)

    @property
    def alive(self) -> int:
        """The number of its actor-learners; none as long as nothing is known of it."""
        return self.newest.alive if self.newest else 0

    @property
    def deaths(self) -> int:
        """How many of its actor-learners have died."""
        return self.newest.deaths if self.newest else 0

    def take(self, news: GroupNews) -> None:
        """Note what the group tells."""
        self.newest, self.heard_at = news, time.monotonic()
        self.steps.append((news.seconds, news.done.steps))
        updates = sum(report.updates for report in news.reports)
        late = [(report.measures.staleness or 0.0) * report.updates for report in news.reports]
        self.staleness = sum(late) / updates if updates else self.staleness

    def status(self) -> MachineStatus:
        """Return how it does."""
        since = self.heard_at if self.newest else self.began
        seconds = self.steps[-1][0] - self.steps[0][0] if self.steps else 0.0
        speed = (self.steps[-1][1] - self.steps[0][1]) / seconds if seconds else 0.0
        exchange_seconds = self.newest.exchange_seconds if self.newest else 0.0
        return MachineStatus(
            name=self.machine.name,
            learners=self.learners,
            learners_alive=self.alive,
            steps_per_second=speed,
            staleness=self.staleness,
            exchange_seconds=exchange_seconds,
            starting=self.newest is None,
            silent_seconds=time.monotonic() - since,
        )


class ClusterSupervisor:
    """Starts, watches and stops the groups of a cluster.

    Args:
        backend: Runs them.
        options: Of the cluster.
        context: Of the driver's own processes; it starts none of the actor-learners.
        config: The run's settings, with the number of actor-learners of a machine.
        shared: The driver's copy: what the parameter server holds, and the counters.
        play_states: Of the actor-learners that go on with their games, by their numbers in the whole run.
    """

    consequence = "The training goes on"

    def __init__(
        self,
        backend: Backend,
        options: ClusterOptions,
        context: Context,
        config: TrainConfig,
        shared: SharedParameters,
        play_states: Mapping[int, Tensor],
    ) -> None:
        self._backend = backend
        self._options = options
        self._config = config
        self._shared = shared
        self._play_states = {number: state.numpy().tobytes() for number, state in play_states.items()}
        counts = Counts(shared.total_steps(), shared.total_updates(), shared.total_games())
        self._state = GlobalState(shared.parameters.numpy().copy(), counts)
        self._groups: dict[str, RunningGroup] = {}
        self._failures: dict[str, int] = {}  # in a row, by machine
        self._last_failure = "no machine of the cluster has free cores"
        self._places = 0  # groups that there were at once, at most
        self._lost = 0  # actor-learners, with their machines or by themselves
        self._reports: list[LearnerReport] = []
        self._collect_due, self._look_due = Clock(COLLECT_SECONDS), Clock(LOOK_SECONDS)
        self._somebody_at = time.monotonic()
        self._minutes: float | None = shared.minutes()  # until anything is learned
        self._over_at: float | None = None
        self._rest_until = -math.inf
        self.error = ""
        self.unfinished = 0

    def start(self) -> None:
        """Start the parameter server, and a group on each machine.

        Raises:
            ActorLearnersCannotRun: If the parameter server does not start.
        """
        self._backend.begin(self._state)
        self._start_groups()

    @property
    def alive(self) -> int:
        """The number of actor-learners that have not ended."""
        return sum(group.alive for group in self._groups.values())

    @property
    def count(self) -> int:
        """The number of actor-learners that there should be."""
        return self._places * self._config.learners.count

    @property
    def deaths(self) -> int:
        """How many actor-learners were lost."""
        return self._lost + sum(group.deaths for group in self._groups.values())

    @property
    def finished(self) -> bool:
        """Whether the run is over, and all groups have ended."""
        return not self._groups and self._is_over()

    def _is_over(self) -> bool:
        return self._shared.stopped or self._shared.progress() >= 1

    def machines(self) -> Sequence[MachineStatus]:
        """Return how each machine does."""
        return [group.status() for group in sorted(self._groups.values(), key=lambda group: group.index)]

    def poll(self, timeout: float) -> list[LearnerReport]:
        """Wait up to ``timeout`` seconds for reports; start groups on machines that came, or came back.

        Raises:
            ActorLearnersCannotRun: If no machine has trained for a minute, or the engine itself is lost.
        """
        if self._groups:
            self._somebody_at = time.monotonic()
        ended = self._backend.ended(timeout)
        self._hold_minutes()
        if ended or self._collect_due.due():
            self._collect()
        for name, failure in ended.items():
            self._end(name, failure)
        if self._is_over():
            self._drop_those_that_do_not_end()
        elif time.monotonic() >= self._rest_until:
            self._drop_those_that_do_not_begin()
            if self._look_due.due():
                self._start_groups()
            self._require_somebody()
        reports, self._reports = self._reports, []
        return reports

    def _hold_minutes(self) -> None:
        """Count no minutes of training before the first group learns: its machine or its cores may come late."""
        if self._minutes is not None:
            self._shared.set_minutes(self._minutes)
            if any(group.alive for group in self._groups.values()):
                self._minutes = None

    def _require_somebody(self) -> None:
        """Raise ActorLearnersCannotRun if no machine has trained for a minute."""
        if not self._groups and time.monotonic() >= self._somebody_at + NOBODY_SECONDS:
            raise ActorLearnersCannotRun(
                f"{self._last_failure}\nNo machine has trained for {NOBODY_SECONDS:.0f} s: the training was stopped."
            )

    def _drop_those_that_do_not_begin(self) -> None:
        """End the groups whose cores are taken, or whose machine is not heard of."""
        for name, group in list(self._groups.items()):
            if group.newest is None and time.monotonic() >= group.began + START_SECONDS:
                self._backend.drop(name)
                self._end(name, f"it has not begun within {START_SECONDS:.0f} s: perhaps others have its cores")

    def _drop_those_that_do_not_end(self) -> None:
        """End the groups that are not heard of when the run is over."""
        if self._over_at is None:
            self._over_at = time.monotonic()
        if time.monotonic() >= self._over_at + END_SECONDS:
            self._drop_all()

    def _drop_all(self) -> None:
        for name, group in self._groups.items():
            self._backend.drop(name)
            self.unfinished += group.learners
        self._groups.clear()

    def _collect(self) -> bool:
        """Take what the parameter server has; return whether it had something.

        Where it holds nothing, it is offered the newest state that is known here.
        """
        collected = self._backend.collect(self._is_over())
        if collected is None:
            return False
        if collected.state is None:
            self._backend.offer(self._state)
        elif collected.state.version > self._state.version:
            self._state = collected.state
            self._shared.parameters.numpy()[:] = self._state.parameters
            self._shared.set_counts(*self._state.counts)
        for news in collected.news:
            self._take_news(news)
        return collected.state is not None

    def _take_news(self, news: GroupNews) -> None:
        self._reports += news.reports
        self.unfinished += news.unfinished
        optimizer = self._shared.optimizer
        for average, found in (
            (optimizer.square_average, news.square_average),
            (optimizer.gradient_average, news.gradient_average),
        ):
            if found is not None:
                average.numpy()[:] = found
        group = self._groups.get(news.group)
        if group is not None:  # otherwise it is gone already
            group.take(news)
            if news.error:
                self._say(f"{group.machine.name}: {news.error}")

    def _say(self, error: str) -> None:
        """Let the trainer say what went wrong."""
        self.error = f"{self.error}\n{error}" if self.error else error
        self._last_failure = error

    def _end(self, name: str, failure: str) -> None:
        """Note that a group has ended, and what kept it from training."""
        group = self._groups.pop(name)
        self._lost += group.deaths
        if failure:
            self._lost += group.alive
            self._count_failure(group.machine, failure, trained=bool(group.steps and group.steps[-1][1]))
        else:
            self._rest_until = time.monotonic() + REST_SECONDS

    def _count_failure(self, machine: Machine, failure: str, *, trained: bool) -> None:
        if not (trained or self._is_over() or machine in self._backend.machines()):
            return  # it was lost before, which was told then
        failures = 0 if trained else self._failures.get(machine.id, 0) + 1
        self._failures[machine.id] = failures
        left_out = "; it is left out" if failures >= MAX_FAILURES else ""
        self._say(f"{machine.name}: {failure}{left_out}")

    def _start_groups(self) -> None:
        """Start a group on each machine that has none, as many as there may be."""
        busy = {group.machine.id for group in self._groups.values()}
        for machine in self._backend.machines():
            if len(self._groups) >= (self._options.machines or math.inf):
                return
            if machine.id in busy or self._failures.get(machine.id, 0) >= MAX_FAILURES:
                continue
            incompatibility = self._backend.incompatibility(machine)
            if incompatibility:
                self._failures[machine.id] = MAX_FAILURES
                self._say(incompatibility)
            elif incompatibility is not None:
                self._start_group(machine)

    def _start_group(self, machine: Machine) -> None:
        taken = {group.index for group in self._groups.values()}
        index = next(number for number in range(len(taken) + 1) if number not in taken)
        learners = self._config.learners.count
        optimizer = self._shared.optimizer
        start = GroupStart(
            group=f"{machine.name}-{uuid4().hex[:8]}",
            index=index,
            config=self._config,
            state=self._state,
            minutes=self._shared.minutes(),
            square_average=optimizer.square_average.numpy().copy(),
            gradient_average=optimizer.gradient_average.numpy().copy(),
            play_states={
                number: self._play_states.pop(number + index * learners, b"")  # once: a group may die of it
                for number in range(learners)
            },
            sync_seconds=self._options.sync_seconds,
            extensions=extension_files(),
        )
        self._groups[start.group] = RunningGroup(machine, index, learners, time.monotonic())
        self._places = max(self._places, index + 1)
        self._backend.start_group(machine, start)

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> list[LearnerReport]:
        """Let all groups finish their rollouts and send what is left; end those that do not.

        Args:
            hurry: Asked ten times a second; once it returns true, no group is waited for.

        Returns:
            Their last reports.
        """
        self._shared.stop()
        reports: list[LearnerReport] = []
        while self._groups and not hurry():
            reports += self.poll(0.1)
        self._drop_all()
        deadline = time.monotonic() + LAST_COLLECT_SECONDS
        while not self._collect() and time.monotonic() < deadline and not hurry():
            time.sleep(0.1)
        return reports + self._reports

    def close(self) -> None:
        """Leave the cluster."""
        self._backend.close()


def cluster_supervisor(
    backend: Backend, options: ClusterOptions
) -> Callable[[Context, TrainConfig, SharedParameters, Mapping[int, Tensor]], ClusterSupervisor]:
    """Return what a trainer calls to have its actor-learners on a cluster."""
    return partial(ClusterSupervisor, backend, options)
