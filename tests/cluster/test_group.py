"""One machine's group, with a parameter server in this process in place of a cluster's."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from breakout_a3c.cluster import group as group_module
from breakout_a3c.cluster.exchange import Counts, Difference, GlobalState
from breakout_a3c.cluster.group import Group, LinkBroken
from breakout_a3c.cluster.group_parameters import GroupParameters, GroupStart
from breakout_a3c.cluster.parameter_server import Answer, GroupNews, ParameterServer
from breakout_a3c.config import TrainConfig
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import make_network
from breakout_a3c.presets import PRESETS
from tests.starting import training_context

CONFIG = PRESETS["cartpole"].replace(threads=2, envs=2, total_steps=2000)


class DirectLink:
    """A link to a server in this process.

    Args:
        server: That it reaches.
        fails: Whether an exchange fails, asked with its number.
    """

    def __init__(self, server: ParameterServer, fails: Callable[[int], bool] = lambda number: False) -> None:
        self.server = server
        self.exchanges = 0
        self._fails = fails
        self._answer: Answer | None = None

    def send(self, difference: Difference, news: GroupNews) -> None:
        self.exchanges += 1
        self._answer = None if self._fails(self.exchanges) else self.server.exchange(difference, news)

    def answer(self) -> Answer | None:
        if self._answer is None:
            raise LinkBroken
        return self._answer

    def offer(self, state: GlobalState) -> None:
        self.server.offer(state)


def start_of(config: TrainConfig, index: int = 0) -> GroupStart:
    environment = make_environment(config.game)
    parameters = LocalParameters(make_network(config.network, environment)).float32_parameters().numpy()
    environment.close()
    return GroupStart(
        group=f"group-{index}",
        index=index,
        config=config,
        state=GlobalState(parameters, Counts()),
        minutes=0.0,
        square_average=np.zeros_like(parameters),
        gradient_average=np.zeros(0, np.float32),
        play_states={},
        sync_seconds=0.05,
        extensions=(),
    )


def server_of(start: GroupStart) -> ParameterServer:
    server = ParameterServer()
    server.begin(start.state)
    return server


@pytest.mark.parametrize("fails", [lambda number: False, lambda number: number % 2 == 1], ids=["whole", "broken"])
def test_all_that_a_group_learned_is_at_the_server_in_the_end(fails: Callable[[int], bool]) -> None:
    start = start_of(CONFIG)
    link = DirectLink(server_of(start), fails)
    group = Group(start, training_context(), link)
    assert group.run() == ""
    collected = link.server.collect(stopped=False)
    assert collected.state is not None
    np.testing.assert_allclose(collected.state.parameters, group._shared.parameters.numpy(), atol=1e-6)
    assert collected.state.counts == group._shared.done()
    assert collected.state.counts.steps >= CONFIG.schedule.total_steps
    assert not np.array_equal(collected.state.parameters, start.state.parameters)
    assert any(news.square_average is not None for news in collected.news)


def test_reports_have_the_numbers_of_the_whole_run() -> None:
    start = start_of(CONFIG, index=3)
    link = DirectLink(server_of(start))
    Group(start, training_context(), link).run()
    reports = [report for news in link.server.collect(stopped=False).news for report in news.reports]
    assert {report.learner_id for report in reports} == {6, 7}
    assert all(any(report.play_state for report in reports if report.learner_id == number) for number in (6, 7))


def test_a_group_without_answers_learns_no_more_until_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_module, "AHEAD_SECONDS", 0.3)
    start = start_of(CONFIG.replace(total_steps=10_000_000))
    silent = [False]
    link = DirectLink(server_of(start), lambda number: silent[0])
    group = Group(start, training_context(), link)
    running = threading.Thread(target=group.run)
    running.start()
    try:
        wait_until(lambda: group._shared.done().updates > 0)
        silent[0] = True
        wait_until(lambda: bool(group._shared._paused.item()))
        time.sleep(0.5)  # a rollout that is under way ends
        done = group._shared.done()
        time.sleep(0.5)
        assert group._shared.done() == done
        silent[0] = False
        wait_until(lambda: group._shared.done().updates > done.updates)
    finally:
        silent[0] = False
        link.server.collect(stopped=True)
        running.join(30)
    assert not running.is_alive()


def test_what_keeps_a_group_from_training_is_returned() -> None:
    start = replace(start_of(CONFIG), state=GlobalState(np.zeros(3, np.float32)))  # of another network
    assert "died again and again" in Group(start, training_context(), DirectLink(server_of(start))).run()


def test_what_others_did_counts_for_the_end_and_not_for_the_optimizer() -> None:
    start = start_of(CONFIG)
    shared = GroupParameters.of_start(start)
    shared.steps[0], shared.updates[1], shared.games[0] = 100, 7, 3
    shared.set_elsewhere(Counts(900, 20, 5))
    assert (shared.total_steps(), shared.total_updates(), shared.total_games()) == (1000, 27, 8)
    assert shared.progress() == pytest.approx(0.5)
    assert shared.optimizer_updates() == 7
    assert shared.done() == Counts(100, 7, 3)


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
