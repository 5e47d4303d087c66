"""The driver's view of a cluster, with an engine of this test's."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from breakout_a3c.cluster import machines as machines_module
from breakout_a3c.cluster.exchange import Counts, Difference, GlobalState
from breakout_a3c.cluster.group_parameters import GroupStart
from breakout_a3c.cluster.machines import ClusterSupervisor, Machine
from breakout_a3c.cluster.options import ClusterOptions
from breakout_a3c.cluster.parameter_server import OFFER_SECONDS, Collected, GroupNews, ParameterServer
from breakout_a3c.learning.reports import LearnerReport, UpdateMeasures
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import PRESETS
from breakout_a3c.training.clocks import Clock
from breakout_a3c.training.supervisor import ActorLearnersCannotRun
from tests.starting import training_context

CONFIG = PRESETS["cartpole"].replace(threads=2, total_steps=1000)
SIZE = 4


class Engine:
    """Runs nothing: the test says what its groups do."""

    def __init__(self, *names: str) -> None:
        self.there = [Machine(name, name, 2) for name in names]
        self.server = ParameterServer()
        self.reachable = True
        self.starts: dict[str, GroupStart] = {}  # of groups that run, by machine
        self.closed = False
        self.dropped: list[str] = []
        self.incompatibilities: dict[str, str] = {}
        self._ended: dict[str, str] = {}

    def machines(self) -> list[Machine]:
        return self.there

    def incompatibility(self, machine: Machine) -> str | None:
        return self.incompatibilities.get(machine.name, "")

    def begin(self, state: GlobalState) -> None:
        self.server.begin(state)

    def collect(self, stopped: bool) -> Collected | None:
        return self.server.collect(stopped) if self.reachable else None

    def offer(self, state: GlobalState) -> None:
        self.server.offer(state)

    def start_group(self, machine: Machine, start: GroupStart) -> None:
        self.starts[machine.name] = start

    def ended(self, timeout: float) -> dict[str, str]:
        ended, self._ended = self._ended, {}
        return ended

    def drop(self, group: str) -> None:
        self.dropped.append(group)
        self.starts = {name: start for name, start in self.starts.items() if start.group != group}

    def close(self) -> None:
        self.closed = True

    def end(self, machine: str, failure: str) -> None:
        self._ended[self.starts.pop(machine).group] = failure

    def learn(
        self, machine: str, number: int, steps: int, error: str = "", reports: tuple[LearnerReport, ...] = ()
    ) -> None:
        """Let a group send its difference ``number``, after ``steps`` more steps."""
        group = self.starts[machine].group
        difference = Difference(group, number, np.ones(SIZE, np.float32), Counts(steps, 1, 0))
        news = GroupNews(group, list(reports), Counts(steps * number, number, 0), float(number), 2, 0, "", 0.02,
                         square_average=np.full(SIZE, 0.5, np.float32))  # fmt: skip
        self.server.exchange(difference, news)


def supervisor(engine: Engine, machines: int | None = None, play: int = 0) -> ClusterSupervisor:
    shared = SharedParameters(torch.zeros(SIZE), CONFIG)
    play_states = {number: torch.full((1,), number, dtype=torch.uint8) for number in range(play)}
    return ClusterSupervisor(engine, ClusterOptions(machines), training_context(), CONFIG, shared, play_states)


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines_module, "COLLECT_SECONDS", 0.0)
    monkeypatch.setattr(machines_module, "LOOK_SECONDS", 0.0)


def test_each_machine_gets_a_group_and_the_driver_what_they_learn() -> None:
    engine = Engine("a", "b")
    driver = supervisor(engine, play=4)
    driver.start()
    assert (driver.alive, driver.count, driver.finished) == (0, 4, False), "nothing is known of them yet"
    assert [engine.starts[name].index for name in "ab"] == [0, 1]
    assert engine.starts["b"].play_states == {0: b"\2", 1: b"\3"}
    report = LearnerReport(2, [], UpdateMeasures(staleness=3.0), updates=1)
    engine.learn("a", 1, 300)
    engine.learn("b", 1, 200, reports=(report,))
    assert driver.poll(0) == [report]
    assert driver.alive == 4
    assert driver._shared.parameters.tolist() == [2.0] * SIZE
    assert (driver._shared.total_steps(), driver._shared.total_updates()) == (500, 2)
    assert driver._shared.optimizer.square_average.tolist() == [0.5] * SIZE
    first, second = driver.machines()
    assert (first.name, first.learners_alive, first.exchange_seconds) == ("a", 2, 0.02)
    assert math.isnan(first.staleness)
    assert second.staleness == 3.0


def test_no_more_machines_are_used_than_are_asked_for() -> None:
    engine = Engine("a", "b", "c")
    supervisor(engine, machines=2).start()
    assert set(engine.starts) == {"a", "b"}


def test_a_machine_that_comes_late_joins_with_what_was_learned() -> None:
    engine = Engine("a")
    driver = supervisor(engine)
    driver.start()
    engine.learn("a", 1, 300)
    driver.poll(0)
    engine.there.append(Machine("b", "b", 2))
    driver.poll(0)
    start = engine.starts["b"]
    assert start.state.parameters.tolist() == [1.0] * SIZE
    assert start.state.counts.steps == 300
    assert start.square_average.tolist() == [0.5] * SIZE
    assert driver.count == 4


def test_a_lost_machine_is_told_of_and_gets_a_new_group_when_it_is_back() -> None:
    engine = Engine("a", "b")
    driver = supervisor(engine)
    driver.start()
    engine.learn("a", 1, 300)
    engine.learn("b", 1, 0)
    driver.poll(0)
    lost = engine.starts["a"]
    engine.there = [Machine("b", "b", 2)]
    engine.end("a", "it was lost")
    driver.poll(0)
    assert driver.error == "a: it was lost"
    assert (driver.alive, driver.count, driver.deaths) == (2, 4, 2)
    assert driver._shared.total_steps() == 300
    engine.there.append(Machine("a", "a", 2))
    driver.poll(0)
    assert engine.starts["a"].group != lost.group
    assert engine.starts["a"].index == 0, "in its place"


def test_a_machine_that_cannot_train_is_left_out() -> None:
    engine = Engine("a", "b")
    engine.incompatibilities["b"] = "b has torch 2.12, and this machine has 2.13."
    driver = supervisor(engine)
    driver.start()
    assert set(engine.starts) == {"a"}
    assert driver.error == engine.incompatibilities["b"]
    for _ in range(5):
        engine.end("a", "no memory")
        driver.poll(0)
        if "a" not in engine.starts:
            break
    assert "a" not in engine.starts, "after three failures"


def test_a_run_without_any_machine_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines_module, "NOBODY_SECONDS", 0.0)
    driver = supervisor(Engine())
    driver.start()
    with pytest.raises(ActorLearnersCannotRun, match="no machine of the cluster has free cores"):
        driver.poll(0)


def test_a_group_whose_cores_are_taken_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines_module, "START_SECONDS", 0.0)
    engine = Engine("a")
    driver = supervisor(engine)
    driver.start()
    driver.poll(0)
    assert len(engine.dropped) == 1
    assert "a: it has not begun within 0 s: perhaps others have its cores" in driver.error


def test_a_cluster_whose_cores_are_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines_module, "START_SECONDS", 0.0)
    monkeypatch.setattr(machines_module, "LOOK_SECONDS", 100.0)
    engine = Engine("a")
    driver = supervisor(engine)
    driver.start()
    driver._somebody_at = 0.0  # long ago: until now a group has waited for its cores
    driver.poll(0)
    assert (len(engine.dropped), driver.machines()) == (1, [])
    monkeypatch.setattr(driver, "_look_due", Clock(0.0))
    driver.poll(0)
    driver.poll(0)
    assert len(engine.dropped) == 2, "it was started again"


def test_no_minutes_count_before_the_first_group_learns() -> None:
    engine = Engine("a")
    driver = supervisor(engine)
    driver._shared.set_minutes(7.0)
    driver._minutes = 7.0
    driver.start()
    driver._shared.set_minutes(9.0)  # two minutes go by
    driver.poll(0)
    assert driver._shared.minutes() == pytest.approx(7.0, abs=0.1)
    engine.learn("a", 1, 300)
    driver.poll(0)
    driver.poll(0)
    driver._shared.set_minutes(9.0)
    driver.poll(0)
    assert driver._shared.minutes() == pytest.approx(9.0, abs=0.1)


def test_a_group_that_is_not_heard_of_says_so() -> None:
    engine = Engine("a")
    driver = supervisor(engine)
    driver.start()
    (group,) = driver._groups.values()
    group.began -= 5
    (status,) = driver.machines()
    assert (status.starting, round(status.silent_seconds)) == (True, 5)
    engine.learn("a", 1, 300)
    driver.poll(0)
    group.heard_at -= 7
    (status,) = driver.machines()
    assert (status.starting, round(status.silent_seconds)) == (False, 7)


def test_a_machine_that_is_gone_is_told_of_once() -> None:
    engine = Engine("a", "b")
    driver = supervisor(engine)
    driver.start()
    engine.learn("a", 1, 300)
    driver.poll(0)
    engine.end("a", "it was lost")
    driver.poll(0)
    assert driver.error == "a: it was lost"
    assert "a" in engine.starts, "Ray has not noticed yet"
    engine.there = [Machine("b", "b", 2)]
    engine.end("a", "it was lost")
    driver.poll(0)
    assert driver.error == "a: it was lost"


def test_no_group_begins_anew_where_the_run_is_over_by_the_clock_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine("a", "b")
    driver = supervisor(engine)
    driver.start()
    for name in "ab":
        engine.learn(name, 1, 300)
    driver.poll(0)
    engine.end("a", "")
    driver.poll(0)
    assert "a" not in engine.starts
    assert not driver.finished
    engine.end("b", "")
    driver.poll(0)
    assert not engine.starts
    assert not driver.finished, "its own clock decides when it is over"
    driver._rest_until = 0.0
    monkeypatch.setattr(machines_module, "LOOK_SECONDS", 0.0)
    driver._look_due.due_in(0)
    driver.poll(0)
    assert set(engine.starts) == {"a", "b"}, "an end that came too early does not hang the run"


def test_a_group_that_is_not_heard_of_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine("a", "b")
    driver = supervisor(engine)
    driver.start()
    engine.learn("a", 1, 2000)
    engine.end("a", "")
    driver.poll(0)
    driver.poll(0)
    assert not driver.finished
    monkeypatch.setattr(machines_module, "END_SECONDS", 0.0)
    driver.poll(0)
    assert driver.finished
    assert driver.unfinished == 2


def test_the_run_is_over_when_all_groups_have_ended() -> None:
    engine = Engine("a", "b")
    driver = supervisor(engine)
    driver.start()
    engine.learn("a", 1, 600)
    engine.learn("b", 1, 600)
    engine.end("a", "")
    driver.poll(0)
    assert not driver.finished
    engine.end("b", "")
    driver.poll(0)
    assert driver.finished
    assert not engine.starts
    assert driver.deaths == 0


def test_a_server_that_holds_nothing_is_offered_the_newest_state() -> None:
    engine = Engine("a")
    driver = supervisor(engine)
    driver.start()
    engine.learn("a", 1, 300)
    driver.poll(0)
    now = a_second_each_time()
    engine.server = ParameterServer(clock=lambda: next(now))
    engine.reachable = False
    driver.poll(0)
    engine.reachable = True
    for _ in range(int(OFFER_SECONDS) + 2):
        driver.poll(0)
    state = engine.server.collect(stopped=False).state
    assert state is not None
    assert state.counts.steps == 300


def a_second_each_time() -> Iterator[float]:
    seconds = 0.0
    while True:
        yield seconds
        seconds += 1.0


def test_groups_that_do_not_end_are_not_waited_for_in_a_hurry() -> None:
    engine = Engine("a", "b")
    driver = supervisor(engine)
    driver.start()
    engine.learn("a", 1, 300)
    driver.stop(hurry=lambda: True)
    assert driver.unfinished == 4
    assert driver._shared.total_steps() == 300
    assert not engine.closed, "before all is saved"
    driver.close()
    assert engine.closed
