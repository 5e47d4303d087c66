"""The settings decide which game is built, and by which rules it is played."""

import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from breakout_a3c.config import GameOptions
from breakout_a3c.errors import UserError
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.cartpole import CartPole
from breakout_a3c.games.make import make_environment, make_environments
from breakout_a3c.presets import BREAKOUT, CARTPOLE_A3C
from tests.games.test_atari import always, play, record


def run_on(game: Any, steps: int) -> list[Any]:
    """Play on, over the ends of games."""
    seen: list[Any] = []
    for step in range(steps):
        observation, *rest, _ = outcome = game.step(step * step % 7 % game.action_space.n)
        if outcome[2] or outcome[3]:
            observation, _ = game.reset()
        seen.append((observation.tobytes(), *rest))
    return seen


@pytest.mark.parametrize("options", [BREAKOUT.game, CARTPOLE_A3C.game], ids=lambda options: options.name)
def test_a_restored_game_goes_on_exactly_and_so_do_those_after_it(options: GameOptions) -> None:
    game, other = make_environments(options, [2, 4])
    game.reset()
    run_on(game, 333)
    run_on(other, 10)
    state = game.state()
    resumed_from = other.restore(state)
    following = run_on(game, 700)
    assert run_on(other, 700) == following
    assert any(terminated for _, _, terminated, _ in following)
    assert resumed_from.dtype == other.observation_space.dtype
    assert np.array_equal(resumed_from, game.restore(state))


@pytest.mark.parametrize("name", ["breakout", "pong", "cartpole"])
def test_gymnasiums_own_checker_passes(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_env(make_environment(GameOptions(name=name), seed=0))


def test_the_settings_decide_how_the_game_is_played() -> None:
    options = GameOptions(
        actions="minimal", frame_skip=3, max_noops=0, auto_fire=False, terminal_on_life_loss=False,
        max_episode_frames=120,
    )  # fmt: skip
    game = make_environment(options, seed=0)
    assert isinstance(game, AtariGame)
    assert game.action_names == ("NOOP", "FIRE", "RIGHT", "LEFT")
    assert game.reset()[1]["frames"] == 0
    *_, (_, _, terminated, truncated, info) = play(game, always(game, "RIGHT"))
    assert (terminated, truncated, info["frames"]) == (False, True, 120)
    sticky = make_environment(options, seed=0, sticky=0.5)
    assert isinstance(sticky, AtariGame)
    assert record(sticky) != record(game)


@pytest.mark.parametrize("ends", [True, False])
def test_a_life_begins_with_a_fresh_stack_where_a_lost_one_ends_the_learners_episode(ends: bool) -> None:
    game = make_environment(GameOptions(terminal_on_life_loss=ends), seed=0)
    assert isinstance(game, AtariGame)
    game.reset()
    after_a_lost_life = next(
        observation for observation, *_, info in play(game, always(game, "RIGHT")) if info["life_lost"]
    )
    assert np.array_equal(after_a_lost_life[..., 0], after_a_lost_life[..., 3]) == ends


def test_changes_win_over_the_settings() -> None:
    game = make_environment(GameOptions(), seed=0, max_episode_frames=40, max_noops=0, auto_fire=False)
    assert game.reset()[1]["frames"] == 0
    assert [game.step(1)[3] for _ in range(10)] == [False] * 9 + [True]


@pytest.mark.parametrize("name", ["breakout", "cartpole"])
def test_there_is_a_game_for_each_seed(name: str) -> None:
    games = make_environments(GameOptions(name=name, sticky=0.25), [2, 2, 4])
    assert {type(game) for game in games} == {CartPole if name == "cartpole" else AtariGame}
    one, same, other = ([game.reset()[0].tobytes(), *run_on(game, 30)] for game in games)
    assert one == same != other


def test_an_unknown_game_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean breakout"):
        make_environment(GameOptions(name="brekout"))
