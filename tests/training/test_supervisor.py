import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.learning.reports import LearnerReport, ReportSender
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.processes.pipes import parts_of
from breakout_a3c.processes.start import HANDLED_SIGNALS, start_process
from breakout_a3c.training import supervisor as supervisor_module
from breakout_a3c.training.supervisor import STOP_SECONDS, ActorLearnersCannotRun, Supervisor
from tests.starting import training_context

CONFIG = BREAKOUT.replace(threads=2)


def crash(config: TrainConfig, shared: SharedParameters, learner_id: int, pipe: Connection, state: Tensor) -> None:
    ReportSender(learner_id, pipe).fail("Traceback: it was bound to happen")
    os._exit(1)


def learn_until_stopped(
    config: TrainConfig, shared: SharedParameters, learner_id: int, pipe: Connection, state: Tensor
) -> None:
    sender = ReportSender(learner_id, pipe)
    while not shared.stopped:
        shared.count(learner_id, 40, 0)
        shared.updates[learner_id] += 1
        time.sleep(0.01)
    sender.close(b"")


def hang(config: TrainConfig, shared: SharedParameters, learner_id: int, pipe: Connection, state: Tensor) -> None:
    time.sleep(1000)


def stop_in_the_middle(
    config: TrainConfig, shared: SharedParameters, learner_id: int, pipe: Connection, state: Tensor
) -> None:
    """Be stopped, as by Ctrl-Z or a laptop that sleeps, while the last report is sent."""
    shared.count(learner_id, 40, 0)
    shared.updates[learner_id] += 1
    while not shared.stopped:
        time.sleep(0.01)
    pipe.send_bytes(parts_of(LearnerReport(learner_id, [], play_state=bytes(100_000)))[0])
    os.kill(os.getpid(), signal.SIGSTOP)


def crash_on_a_state(
    config: TrainConfig, shared: SharedParameters, learner_id: int, pipe: Connection, state: Tensor
) -> None:
    if len(state):
        os._exit(1)
    ReportSender(learner_id, pipe).close(b"new games")


def make(target: object, play_states: dict[int, Tensor] | None = None) -> tuple[Supervisor, SharedParameters]:
    shared = SharedParameters(torch.zeros(3), CONFIG)
    supervisor = Supervisor(training_context(), CONFIG, shared, play_states, target)  # type: ignore[arg-type]
    supervisor.start()
    return supervisor, shared


def let_all_learn(supervisor: Supervisor, shared: SharedParameters) -> None:
    """Wait until each actor-learner has made another update."""
    updates = shared.updates.clone()
    while not (shared.updates > updates).all():
        supervisor.poll(0.05)


def test_three_deaths_without_an_update_end_the_run() -> None:
    supervisor, _ = make(crash)

    def poll_for_a_minute() -> None:
        for _ in range(600):
            supervisor.poll(0.1)

    with pytest.raises(ActorLearnersCannotRun, match="bound to happen"):
        poll_for_a_minute()
    assert 3 <= supervisor.deaths <= 5
    supervisor.stop()
    assert supervisor.alive == 0


def test_a_killed_actor_learner_is_replaced_for_ever_while_it_learns() -> None:
    supervisor, shared = make(learn_until_stopped)
    for deaths in range(1, 6):
        let_all_learn(supervisor, shared)
        os.kill(supervisor.process_ids()[0], signal.SIGKILL)
        while supervisor.deaths < deaths:
            supervisor.poll(0.05)
        assert supervisor.alive == 2
        assert "was killed (SIGKILL)" in supervisor.error
    let_all_learn(supervisor, shared)
    reports = supervisor.stop()
    assert supervisor.alive == 0
    assert all(isinstance(report, LearnerReport) for report in reports)
    assert len(reports) == 2, "the last reports are received"
    assert supervisor.unfinished == 0


def test_a_state_of_games_is_given_to_its_actor_learner_once() -> None:
    supervisor, _ = make(crash_on_a_state, {1: torch.ones(1_000_000, dtype=torch.uint8)})
    reports = []
    while supervisor.alive:
        reports += supervisor.poll(0.05)
    assert supervisor.deaths == 1
    assert sorted(report.learner_id for report in reports) == [0, 1]
    assert all(report.play_state == b"new games" for report in reports)


def test_an_actor_learner_that_is_killed_while_it_starts_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [BrokenPipeError("it did not hear what to do"), EOFError()]

    def fail_at_first(*arguments: object) -> object:
        if failures:
            raise failures.pop()
        return start_process(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(supervisor_module, "start_process", fail_at_first)
    supervisor, shared = make(learn_until_stopped)
    assert (supervisor.alive, supervisor.deaths) == (2, 2)
    while not (shared.updates > 0).all():
        supervisor.poll(0.05)
    supervisor.stop()


def test_an_actor_learner_that_can_never_be_started_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> object:
        raise OSError("no more processes")

    monkeypatch.setattr(supervisor_module, "start_process", fail)
    with pytest.raises(ActorLearnersCannotRun, match="could not be started: no more processes"):
        make(learn_until_stopped)


def test_children_hear_no_signal_that_is_the_trainers() -> None:
    supervisor, shared = make(learn_until_stopped)
    while not (shared.updates > 0).all():
        supervisor.poll(0.05)
    for pid in supervisor.process_ids():
        status = Path(f"/proc/{pid}/status").read_text()
        blocked = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk")), 16)
        assert all(blocked >> (number - 1) & 1 for number in HANDLED_SIGNALS)
    supervisor.stop()


def test_an_actor_learner_that_hangs_is_killed() -> None:
    supervisor, _ = make(hang)
    began = time.monotonic()
    supervisor.stop(hurry=lambda: True)
    assert supervisor.alive == 0
    assert supervisor.unfinished == 2
    assert time.monotonic() - began < 3


def test_actor_learners_that_are_stopped_while_they_report_hold_up_nobody() -> None:
    supervisor, shared = make(stop_in_the_middle)
    while not (shared.updates > 0).all():
        supervisor.poll(0.05)
    began = time.monotonic()
    assert supervisor.stop() == []
    assert supervisor.alive == 0
    assert time.monotonic() - began < STOP_SECONDS + 1
