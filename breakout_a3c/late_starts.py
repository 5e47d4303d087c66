"""Training games that begin in the middle: at moments of earlier games, late ones as often as early ones.

What comes late in a game is rare in training as long as few games get there (Salimans and Chen 2018, "Learning
Montezuma's Revenge from a single demonstration"; Ecoffet et al. 2021, "First return, then explore").
"""

from collections import defaultdict, deque
from typing import NamedTuple

import numpy as np

from breakout_a3c.environments import AtariGame, CartPole, GameState

POINTS_APART = 50.0  # between two stages of a game
MOMENTS_A_STAGE = 4  # 40 KB each


class Moment(NamedTuple):
    """Where a game stood."""

    episode_return: float
    episode_length: int  # agent steps
    state: GameState


class LateStarts:
    """The newest moments at which games came to a new stage, and which games begin there.

    Args:
        share: Of the games that begin late, 0 to 1.
        seed: Of that choice.
    """

    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._random = np.random.default_rng(seed)
        self._moments: dict[int, deque[Moment]] = defaultdict(lambda: deque(maxlen=MOMENTS_A_STAGE))

    def see(self, environment: AtariGame | CartPole, before: float, now: float, length: int) -> None:
        """Remember a game whose score went from ``before`` to ``now`` if that is another stage."""
        if self._share and now // POINTS_APART > before // POINTS_APART:
            self._moments[int(now // POINTS_APART)].append(Moment(now, length, environment.state()))

    def draw(self) -> Moment | None:
        """Return where the next game is to begin, or None for a new game."""
        if not self._moments or self._random.random() >= self._share:
            return None
        stage = self._random.choice(sorted(self._moments))
        return self._moments[stage][self._random.integers(len(self._moments[stage]))]
