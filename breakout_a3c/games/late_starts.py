"""Training games that begin in the middle: at moments of earlier games, late ones as often as early ones.

What comes late in a game is rare in training as long as few games get there (Salimans and Chen 2018, "Learning
Montezuma's Revenge from a single demonstration"; Ecoffet et al. 2021, "First return, then explore").
The moments are not saved: a resumed run gathers its own.
"""

from collections import defaultdict, deque
from typing import NamedTuple

import numpy as np

from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.state import GameState

WALL_POINTS = 432
WALLS = 2  # Breakout builds no third one
MOMENTS_A_STAGE = 8  # 40 KB each


class Moment(NamedTuple):
    """Where a game stood."""

    episode_return: float
    episode_length: int  # agent steps
    state: GameState


def stage_of(episode_return: float) -> int:
    """Return how far a game of Breakout has come, from 0: a stage ends when half the points left in the wall are made.

    So the last bricks, which take longest to hit, are several stages: 9 a wall.
    """
    walls, points = divmod(int(episode_return), WALL_POINTS)
    halvings = WALL_POINTS.bit_length() - (WALL_POINTS - points).bit_length()
    return walls * WALL_POINTS.bit_length() + halvings


class LateStarts:
    """The newest moments at which games came to each stage, and the choice of games that begin there.

    Args:
        probability: With which a game begins late.
        games: How many are played at once.
        seed: Of the choice.
    """

    def __init__(self, probability: float, games: int, seed: int) -> None:
        self._probability = probability
        self._random = np.random.default_rng(seed)
        self._stages = [0] * games  # that each game has come to
        self._moments: dict[int, deque[Moment]] = defaultdict(lambda: deque(maxlen=MOMENTS_A_STAGE))

    def see(self, index: int, environment: AtariGame, episode_return: float, episode_length: int) -> None:
        """Remember where game ``index`` stands if it has come to another stage."""
        stage = stage_of(episode_return)
        if stage > self._stages[index] and episode_return < WALLS * WALL_POINTS:
            self._stages[index] = stage
            self._moments[stage].append(Moment(episode_return, episode_length, environment.state(include_rng=False)))

    def draw(self, index: int) -> Moment | None:
        """Return where game ``index`` is to begin, each stage as likely as the others, or None for a new game."""
        self._stages[index] = 0
        if not self._moments or self._random.random() >= self._probability:
            return None
        stage = int(self._random.choice(sorted(self._moments)))
        self._stages[index] = stage
        return self._moments[stage][self._random.integers(len(self._moments[stage]))]
