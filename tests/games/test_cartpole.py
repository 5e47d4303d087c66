"""CartPole: seeds, ends, and what the programs ask of every game."""

import sys

import numpy as np
import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.games.cartpole import CartPole
from breakout_a3c.games.make import make_environment
from breakout_a3c.presets import CARTPOLE_A3C


def make_cartpole(seed: int) -> CartPole:
    game = make_environment(CARTPOLE_A3C.game, seed)
    assert isinstance(game, CartPole)
    game.reset()
    return game


def test_cartpole_is_seeded() -> None:
    starts = [make_environment(CARTPOLE_A3C.game, seed).reset()[0] for seed in (0, 0, 2)]
    assert np.array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])


def test_a_restored_game_is_truncated_in_time() -> None:
    game, other = make_cartpole(1), make_cartpole(2)
    for _ in range(5):
        game.step(0)
    game._time_limit()._elapsed_steps = 499
    other.restore(game.state())
    assert other.step(1)[3]


@pytest.mark.parametrize(("name", "direction"), [("LEFT", -1), ("RIGHT", 1)])
def test_an_action_does_what_its_name_says(name: str, direction: int) -> None:
    game = make_cartpole(0)
    for _ in range(5):
        observation, *_ = game.step(game.action_names.index(name))
    speed = observation[1]
    assert np.sign(speed) == direction


def test_a_second_has_as_many_frames_as_the_physics_has_steps() -> None:
    game = make_cartpole(0)
    seconds_a_step = game.unwrapped.tau  # type: ignore[attr-defined]
    assert game.frames_per_second * seconds_a_step == pytest.approx(1)
    assert game.mirrored_actions is None


def test_without_pygame_it_is_played_and_a_picture_of_it_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    game = make_cartpole(0)
    game.step(0)
    with pytest.raises(UserError, match="the package pygame-ce is not installed for"):
        game.render()
