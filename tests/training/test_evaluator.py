import os
import signal
import time

import psutil
import pytest

from breakout_a3c.games.make import make_environments
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import make_network
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.training import evaluator as evaluator_module
from breakout_a3c.training.evaluator import Evaluation, Evaluator
from tests.starting import training_context

CONFIG = BREAKOUT.replace(eval_episodes=2, precision="float32")


@pytest.fixture
def parameters() -> object:
    network = make_network(CONFIG.network, make_environments(CONFIG.game, [0])[0])
    return LocalParameters(network).float32_parameters()


def wait(evaluator: Evaluator, seconds: float = 60) -> Evaluation | None:
    deadline = time.monotonic() + seconds
    while evaluator.busy and time.monotonic() < deadline:
        if evaluation := evaluator.poll():
            return evaluation
        time.sleep(0.05)
    return None


def test_a_snapshot_is_evaluated_and_animated(parameters) -> None:  # noqa: ANN001
    evaluator = Evaluator(training_context(), CONFIG, len(parameters))
    assert evaluator.request(parameters, hurry=True)
    assert not evaluator.request(parameters, hurry=True), "only one at a time"
    evaluation = wait(evaluator)
    assert evaluation is not None
    assert len(evaluation.result.games) == 2
    assert evaluation.animation.startswith(b"GIF8")
    assert 0 < evaluation.cpu_fraction <= 1
    evaluator.close()


def test_a_snapshot_is_played_as_sticky_as_it_was_trained(parameters) -> None:  # noqa: ANN001
    evaluator = Evaluator(training_context(), CONFIG.replace(sticky=0.25), len(parameters))
    evaluator.request(parameters, hurry=True)
    evaluation = wait(evaluator)
    assert evaluation is not None
    assert evaluation.result.protocol.sticky == 0.25
    evaluator.close()


@pytest.mark.parametrize("idle", [False, True])
def test_a_killed_evaluator_is_replaced(parameters, idle: bool) -> None:  # noqa: ANN001
    evaluator = Evaluator(training_context(), CONFIG, len(parameters))
    evaluator.request(parameters, hurry=True)
    if idle:
        assert wait(evaluator) is not None
    assert evaluator._process is not None
    os.kill(evaluator._process.pid, signal.SIGKILL)
    evaluator._process.join()
    if not idle:
        assert wait(evaluator) is None
        assert evaluator.error.startswith(
            "it was killed (SIGKILL), perhaps by the kernel for want of memory: give fewer"
        )
    assert evaluator.request(parameters, hurry=True)
    assert wait(evaluator) is not None
    evaluator.close()


def test_one_that_cannot_be_started_is_an_error(parameters, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    def fail(*arguments: object) -> object:
        raise OSError("no more processes")

    evaluator = Evaluator(training_context(), CONFIG, len(parameters))
    with monkeypatch.context() as patch:
        patch.setattr(evaluator_module, "start_process", fail)
        assert not evaluator.request(parameters, hurry=True)
    assert evaluator.error == "it could not be started: no more processes"
    assert evaluator.request(parameters, hurry=True), "the next request tries again"
    evaluator.close()


def wait_until_throttled(process: psutil.Process) -> None:
    """Wait until a process has loaded its games, and sleeps until it may play on."""
    deadline = time.monotonic() + 60
    used = 0.0
    while process.cpu_times().user - used > 0.02 or used < 0.5:
        assert time.monotonic() < deadline, "it does not sleep"
        used = process.cpu_times().user
        time.sleep(0.5)


def test_closing_ends_it_while_it_plays(parameters) -> None:  # noqa: ANN001
    evaluator = Evaluator(training_context(), CONFIG.replace(eval_episodes=200), len(parameters))
    evaluator.request(parameters, hurry=False)
    process = evaluator._process
    assert process is not None
    wait_until_throttled(psutil.Process(process.pid))
    began = time.monotonic()
    evaluator.close()
    assert time.monotonic() - began < 3
    assert process.exitcode == 0, "it left by itself, and cleared up"
