"""Any process is killed at any moment: the training goes on or ends saved, and leaves no process behind."""

import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, STDOUT

import psutil
import pytest
import torch

from breakout_a3c.games.make import make_environment
from breakout_a3c.learning.networks import make_network
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.training.evaluator import Evaluation, Evaluator
from breakout_a3c.training.supervisor import STOP_SECONDS, Supervisor
from tests.programs.test_train import (
    EVALUATED,
    GONE_SECONDS,
    LEARNED_CPU_SECONDS,
    TRAIN,
    actor_learners,
    assert_gone,
    evaluators,
    family,
    finish,
    first_checkpoint,
    start,
)
from tests.running import Program, wait_for
from tests.starting import training_context
from tests.torture.effort import rounds

CONFIG = BREAKOUT.replace(threads=4, envs=2, total_steps=None, eval_episodes=1, eval_minutes=0.0)
STEPS_AN_UPDATE = CONFIG.learners.envs * CONFIG.returns.rollout_length
BLOCKED_SECONDS = 60.0
PYTHON_CPU_SECONDS = 0.2  # by then Python itself has started
AT_WORK_CPU_SECONDS = 1.0  # by then its games are loaded


def shared_parameters() -> SharedParameters:
    return SharedParameters.of_network(make_network(CONFIG.network, make_environment(CONFIG.game)), CONFIG)


class Reports:
    """The games that the actor-learners of a supervisor reported."""

    def __init__(self, supervisor: Supervisor, shared: SharedParameters) -> None:
        self._supervisor = supervisor
        self._shared = shared
        self.games = 0

    def until_updated(self, learners: list[int]) -> None:
        """Poll until each of ``learners`` has pushed an update; no counter may go back."""
        before = self._shared.updates.clone()
        steps = self._shared.steps.clone()
        deadline = time.monotonic() + BLOCKED_SECONDS
        while not (self._shared.updates > before)[learners].all():
            assert time.monotonic() < deadline, f"blocked: updates {self._shared.updates - before} since the kill"
            self.games += sum(len(report.games) for report in self._supervisor.poll(0.02))
        assert (self._shared.steps >= steps).all()

    def until_dead(self, deaths: int) -> None:
        deadline = time.monotonic() + BLOCKED_SECONDS
        while self._supervisor.deaths < deaths:
            assert time.monotonic() < deadline, "a death was not noticed"
            self.games += sum(len(report.games) for report in self._supervisor.poll(0.02))


def test_a_killed_actor_learner_costs_its_own_update_alone(chance: random.Random) -> None:
    shared = shared_parameters()
    supervisor = Supervisor(training_context(), CONFIG, shared)
    supervisor.start()
    reports = Reports(supervisor, shared)
    everyone = list(range(CONFIG.learners.threads))
    try:
        while supervisor.deaths < rounds(2, 50):
            reports.until_updated(everyone)
            time.sleep(chance.uniform(0, 0.3))
            victim = chance.randrange(CONFIG.learners.threads)
            # The newest is last. One in four is killed again while it starts.
            os.kill(supervisor.process_ids()[victim], signal.SIGKILL)
            reports.until_dead(supervisor.deaths + 1)
            if chance.random() < 0.25:
                time.sleep(chance.uniform(0, 0.3))
                os.kill(supervisor.process_ids()[-1], signal.SIGKILL)
                reports.until_dead(supervisor.deaths + 1)
            assert supervisor.alive == CONFIG.learners.threads
        reports.until_updated(everyone)
    finally:
        reports.games += sum(len(report.games) for report in supervisor.stop())
    counted_but_not_pushed = shared.total_steps() - shared.total_updates() * STEPS_AN_UPDATE
    assert 0 <= counted_but_not_pushed <= supervisor.deaths * STEPS_AN_UPDATE
    # What ended half a second before a kill may not have been reported.
    lost = 3 * supervisor.deaths * CONFIG.learners.envs
    assert shared.total_games() - lost <= reports.games <= shared.total_games()
    assert torch.isfinite(shared.parameters).all()
    assert (shared.optimizer.square_average >= 0).all()


@pytest.mark.torture
def test_the_evaluator_is_replaced_whenever_it_is_killed(chance: random.Random) -> None:
    shared = shared_parameters()
    evaluator = Evaluator(training_context(), CONFIG, shared.parameters.numel())

    def request() -> bool:
        evaluator.poll()  # notices the death of one that was busy
        return evaluator.request(shared.parameters, hurry=True)

    for _ in range(rounds(2, 20)):
        wait_for(request)
        process = evaluator._process
        assert process is not None
        wait_for_news(evaluator, chance.uniform(0, 3))
        process.kill()
        if chance.random() < 0.5:
            wait_for_news(evaluator, BLOCKED_SECONDS)
            assert not evaluator.busy
    evaluator.close()
    assert evaluator.request(shared.parameters, hurry=True)
    assert wait_for_news(evaluator, BLOCKED_SECONDS) is not None
    evaluator.close()


def wait_for_news(evaluator: Evaluator, seconds: float) -> Evaluation | None:
    """Poll until there is an evaluation, the evaluator is dead, or the time is over."""
    deadline = time.monotonic() + seconds
    while evaluator.busy and time.monotonic() < deadline:
        if evaluation := evaluator.poll():
            return evaluation
        time.sleep(0.02)
    return None


def test_an_evaluator_killed_between_two_lines_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was alive when it was asked for, and is not when the request is sent."""
    shared = shared_parameters()
    evaluator = Evaluator(training_context(), CONFIG, shared.parameters.numel())
    assert evaluator.request(shared.parameters, hurry=True)
    assert wait_for_news(evaluator, BLOCKED_SECONDS) is not None
    process = evaluator._process
    assert process is not None
    process.kill()
    process.join()
    with monkeypatch.context() as patch:
        patch.setattr(type(process), "is_alive", lambda _: True)
        assert not evaluator.request(shared.parameters, hurry=True)
    assert evaluator.error.startswith("it was killed (SIGKILL)")
    assert evaluator.request(shared.parameters, hurry=True)
    evaluator.close()


@pytest.mark.torture
def test_a_training_goes_on_after_any_kill(tmp_path: Path, chance: random.Random) -> None:
    latest = tmp_path / "checkpoints" / "latest.pt"
    training = start(tmp_path, "--threads", "3", "--total-steps", "none", "--checkpoint-minutes", "0.02", *EVALUATED)
    wait_for(first_checkpoint(tmp_path))
    steps = 0
    for kill in range(rounds(3, 50)):
        wait_for(lambda: len(actor_learners(training, AT_WORK_CPU_SECONDS)) == 3 and evaluators(training))
        time.sleep(chance.uniform(0, 0.5))
        victims = evaluators(training) if kill % 3 == 0 else actor_learners(training)
        with suppress(psutil.NoSuchProcess):
            chance.choice(victims).kill()
        before, steps = steps, load_checkpoint(latest).steps
        assert steps >= before
    wait_for(lambda: evaluators(training))
    wait_for(lambda: load_checkpoint(latest).steps > steps + 100)
    processes = family(training)
    training.send_signal(signal.SIGTERM)
    output = finish(training, 143)
    assert_gone(processes)
    assert "An actor-learner died and was replaced" in output
    if rounds(3, 50) >= 10:  # one that was idle is replaced without a message
        assert "The evaluator died, and the next evaluation starts another" in output
    saved = load_checkpoint(latest)
    deaths = output.count("was killed (SIGKILL)") + 1  # two between two looks are reported once
    assert 0 <= saved.steps - saved.updates * STEPS_AN_UPDATE <= 2 * deaths * STEPS_AN_UPDATE


@pytest.mark.torture
def test_the_trainer_can_be_killed_at_any_moment(tmp_path: Path, chance: random.Random) -> None:
    latest = tmp_path / "checkpoints" / "latest.pt"
    steps = 0
    for attempt in range(rounds(2, 9)):
        resume = ["--resume", "checkpoints/latest.pt"] if attempt else []
        training = start(tmp_path, *resume, "--total-steps", "none", "--checkpoint-minutes", "0.002", *EVALUATED)
        if attempt == 0:
            wait_for(first_checkpoint(tmp_path))
        else:
            time.sleep(chance.uniform(1, 6))
        processes = family(training)
        training.kill()
        training.wait()
        assert_gone(processes)
        before, steps = steps, load_checkpoint(latest).steps
        assert steps >= before


@pytest.mark.torture
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_saves_although_every_process_hangs(tmp_path: Path, presses: int) -> None:
    training = start(tmp_path, "--total-steps", "none", *EVALUATED)
    wait_for(lambda: len(actor_learners(training, LEARNED_CPU_SECONDS)) == 2 and evaluators(training))
    processes = family(training)
    for process in (*actor_learners(training), *evaluators(training)):
        process.suspend()
    began = time.monotonic()
    for _ in range(presses):  # a second one waits for no process
        os.killpg(training.pid, signal.SIGINT)
        time.sleep(0.3)
    limit = GONE_SECONDS if presses == 1 else STOP_SECONDS
    training.wait(limit - (time.monotonic() - began))
    assert_gone(processes)
    output = finish(training, 130)
    assert "2 of 2 actor-learners did not finish" in output
    assert "python train.py --resume" in output
    assert load_checkpoint(tmp_path / "checkpoints" / "latest.pt").steps > 0


FAULTY = """
import sys
from breakout_a3c.command_line import run_program
from breakout_a3c.training.console import TrainingConsole
from breakout_a3c.commands import train

def fail(console):
    raise RuntimeError("nobody thought of this")

if __name__ == "__main__":
    TrainingConsole.stop = fail
    run_program(train.main)
"""


def test_a_fault_of_the_trainer_itself_leaves_nothing_behind(tmp_path: Path) -> None:
    """Python waits for its children at the end, and these block its SIGTERM."""
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY)
    options = ["--preset", "cartpole", "--threads", "1", "--total-steps", "none", "--checkpoint-minutes", "0.01"]
    repository = os.environ | {"PYTHONPATH": str(TRAIN.parent)}
    command = [sys.executable, str(script), *options, "--eval-minutes", "0.001"]
    training = Program(command, cwd=tmp_path, env=repository, stdout=PIPE, stderr=STDOUT, text=True)
    wait_for(first_checkpoint(tmp_path))
    processes = family(training)
    training.send_signal(signal.SIGINT)
    code = training.wait(GONE_SECONDS)
    assert_gone(processes)
    assert code == 1
    assert "nobody thought of this" in training.communicate()[0]


@pytest.mark.torture
@pytest.mark.parametrize(("number", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {143, -signal.SIGTERM})])
def test_a_signal_at_any_moment_of_the_start_is_heard(
    tmp_path: Path, chance: random.Random, number: signal.Signals, codes: set[int]
) -> None:
    for attempt in range(rounds(1, 6)):
        training = start(tmp_path, "--run", f"run-{attempt}", "--total-steps", "none", *EVALUATED)
        wait_for(lambda: sum(psutil.Process(training.pid).cpu_times()[:2]) > PYTHON_CPU_SECONDS)  # noqa: B023
        time.sleep(chance.uniform(0, 5))
        processes = family(training)
        os.killpg(training.pid, number)
        began = time.monotonic()
        output, _ = training.communicate(timeout=60)
        assert time.monotonic() - began < GONE_SECONDS
        assert training.returncode in codes, output
        assert "Traceback" not in output
        assert_gone(processes)
