"""A game for the tests of what is remembered of it."""

import pytest

from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.make import make_environment
from breakout_a3c.presets import BREAKOUT


@pytest.fixture
def game() -> AtariGame:
    """Breakout at its beginning."""
    game = make_environment(BREAKOUT.game, seed=2)
    assert isinstance(game, AtariGame)
    game.reset()
    return game
