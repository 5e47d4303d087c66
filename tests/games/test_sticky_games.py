"""Actions stick in some of the training games, from a part of a run on, and a stopped game goes on exactly."""

import numpy as np
import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.batch import STICKY, GameBatch
from breakout_a3c.games.make import make_environments
from breakout_a3c.learning.rollout import RolloutCollector
from breakout_a3c.presets import BREAKOUT, CARTPOLE_A3C
from tests.learning.test_networks import make_network

GAMES = 4


def batch(sticky_games: float, seed: int = 2) -> GameBatch:
    config = BREAKOUT.replace(sticky_games=sticky_games, second_chances=0.0)
    return GameBatch(config, make_environments(config.game, [seed + 2 * i for i in range(GAMES)]))


def stickiness(games: GameBatch) -> list[float]:
    return [environment.sticky for environment in games._environments if isinstance(environment, AtariGame)]


def play(games: GameBatch, observations: np.ndarray, steps: int, seed: int = 0) -> list[bytes]:
    random = np.random.default_rng(seed)
    seen = []
    for _ in range(steps):
        games.step(random.integers(3, size=GAMES).tolist(), observations)
        seen.append(observations.tobytes())
    return seen


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.5, 2), (0.75, 3)])
def test_games_that_start_once_sticky_games_begin_are_sticky(share: float, expected: int) -> None:
    games = batch(share)
    observations = games.reset()
    play(games, observations, 400)
    assert stickiness(games) == [0.0] * GAMES, "they have not begun"
    games.begin_sticky_games = True
    before = stickiness(games)
    games.take_finished()
    play(games, observations, 1000)
    assert before == [0.0] * GAMES, "a game that is on goes on as it was"
    assert stickiness(games) == [STICKY] * expected + [0.0] * (GAMES - expected)


def test_sticky_games_are_told_apart() -> None:
    games = batch(0.75)
    observations = games.reset()
    play(games, observations, 600)
    assert {game.sticky for game in games.take_finished()} == {False}
    games.begin_sticky_games = True
    play(games, observations, 600)
    games.take_finished()
    play(games, observations, 600)
    sticky = [game.sticky for game in games.take_finished()]
    assert 0 < sticky.count(False) < len(sticky) / 2


def test_a_batch_with_sticky_games_goes_on_exactly() -> None:
    games = batch(0.5)
    observations = games.reset()
    games.begin_sticky_games = True
    play(games, observations, 700)
    assert STICKY in stickiness(games)
    state = games.state()
    expected = play(games, observations, 200, seed=1)
    other = batch(0.5, seed=12)
    other.reset()
    observations = other.restore(state)
    other.begin_sticky_games = True
    assert stickiness(other) == stickiness(games)
    assert play(other, observations, 200, seed=1) == expected


def test_where_all_actions_stick_they_stick_as_told() -> None:
    config = BREAKOUT.replace(sticky=0.5, second_chances=0.0)
    games = GameBatch(config, make_environments(config.game, [2, 4, 6, 8]))
    observations = games.reset()
    games.begin_sticky_games = True
    play(games, observations, 800)
    assert stickiness(games) == [0.5] * GAMES
    assert games.take_finished(), "they are counted"
    assert config.without_effect()["sticky_games"] == "--sticky 0"


def test_a_run_that_goes_on_without_sticky_games_has_none() -> None:
    games = batch(0.5)
    observations = games.reset()
    games.begin_sticky_games = True
    play(games, observations, 700)
    other = batch(0.0)
    other.reset()
    other.restore(games.state())
    assert stickiness(other) == [0.0] * GAMES


def test_a_sticky_game_repeats_a_quarter_of_the_last_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    game = AtariGame(seed=2, sticky=STICKY, auto_fire=False)
    game.reset()
    emulator, actions = game.ale, []

    class Watched:
        def __getattr__(self, name: str) -> object:
            return getattr(emulator, name)

        def act(self, action: object) -> int:
            actions.append(action)
            return int(emulator.act(action))

    monkeypatch.setattr(game, "ale", Watched())
    for step in range(1000):  # without a ball
        game.step(1 + step % 2)
    repeated = sum(first != game.actions[1 + step % 2] for step, first in enumerate(actions[::4]))
    assert len(actions) == 4000
    assert repeated == pytest.approx(250, abs=55)


@pytest.mark.parametrize(("setting", "begin"), [({}, 0.36), ({"sticky_games_begin": 0.1}, 0.1)])
def test_a_collector_begins_them_after_a_part_of_the_run(setting: dict[str, float], begin: float) -> None:
    config = BREAKOUT.replace(envs=2, second_chances=0.0, background="black", **setting)
    collector = RolloutCollector(config, make_environments(config.game, [2, 4]), seed=0)
    network = make_network()
    for progress, begun in ((begin - 0.01, False), (begin, True), (1.0, True)):
        collector.collect(network, progress)
        assert collector._games.begin_sticky_games is begun


def test_the_option_says_where_it_is_for() -> None:
    with pytest.raises(UserError, match="sticky_games are for Atari games: give --sticky-games 0 for cartpole"):
        CARTPOLE_A3C.replace(sticky_games=0.5)
    assert BREAKOUT.replace(envs=1).without_effect()["sticky_games"] == "several games, --envs 2 or more"
    assert BREAKOUT.replace(sticky_games=0.0).without_effect()["sticky_games_begin"] == "--sticky-games 0.94"
