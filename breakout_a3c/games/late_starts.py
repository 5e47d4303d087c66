"""Training games that begin in the middle: at moments of earlier games, late ones as often as early ones.

What comes late in a game is rare in training as long as few games get there (Salimans and Chen 2018, "Learning
Montezuma's Revenge from a single demonstration"; Ecoffet et al. 2021, "First return, then explore").
"""

from bisect import bisect
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.state import (
    GameState,
    pack,
    part_of,
    random_state,
    restore_random_state,
    unpack,
    with_prefix,
)

WALL_POINTS = 432
WALLS = 2  # Breakout builds no third one
# Points in a wall at which a stage begins: each 24, then each half of what is left, as the last bricks take longest.
STAGES = (*range(24, 409, 24), 420, 426, 429, 431)
ALL_STAGES = WALLS * (len(STAGES) + 1)
MOMENTS_A_STAGE = 8  # 40 KB each


class Moment(NamedTuple):
    """Where a game stood."""

    episode_return: float
    episode_length: int  # agent steps
    state: GameState


def packed_moments(moments: Iterable[Moment]) -> GameState:
    """Return moments as compressed arrays."""
    state = {}
    for number, moment in enumerate(moments):
        state[f"{number}/score"] = np.array([moment.episode_return, moment.episode_length])
        state |= {f"{number}/{name}": pack(values) for name, values in moment.state.items()}
    return state


def unpacked_moments(state: GameState, most: int, like: GameState) -> Iterator[Moment]:
    """Yield the moments that ``packed_moments`` made ``state`` of.

    Args:
        state: What it returned, perhaps with other arrays.
        most: How many there can be.
        like: A state of the same game.

    Raises:
        ValueError: If an array is damaged.
    """
    for number in range(most):
        if f"{number}/score" in state:
            episode_return, episode_length = state[f"{number}/score"]
            unpacked = {name: unpack(state[f"{number}/{name}"], like[name]) for name in like}
            yield Moment(float(episode_return), int(episode_length), unpacked)


def stage_of(episode_return: float) -> int:
    """Return how far a game of Breakout has come, from 0."""
    walls, points = divmod(int(episode_return), WALL_POINTS)
    return walls * (len(STAGES) + 1) + bisect(STAGES, points)


class LateStarts:
    """The newest moments at which games came to each stage, and the choice of games that begin there.

    Args:
        probability: With which a game begins late.
        games: How many are played at once.
        seed: Of the choice.
    """

    def __init__(self, probability: float, games: int, seed: int) -> None:
        self._probability = probability
        self.np_random = np.random.default_rng(seed)
        self._stages = [0] * games  # that each game has come to
        self._moments: dict[int, deque[Moment]] = defaultdict(lambda: deque(maxlen=MOMENTS_A_STAGE))

    def see(self, index: int, environment: AtariGame, episode_return: float, episode_length: int) -> None:
        """Remember where game ``index`` stands if it has come to another stage."""
        stage = stage_of(episode_return)
        if stage > self._stages[index] and episode_return < WALLS * WALL_POINTS:
            self._stages[index] = stage
            self._moments[stage].append(Moment(episode_return, episode_length, environment.state()))

    def draw(self, index: int) -> Moment | None:
        """Return where game ``index`` is to begin, each stage as likely as the others, or None for a new game."""
        self._stages[index] = 0
        if not self._moments or self.np_random.random() >= self._probability:
            return None
        stage = int(self.np_random.choice(sorted(self._moments)))
        self._stages[index] = stage
        return self._moments[stage][self.np_random.integers(len(self._moments[stage]))]

    def state(self) -> GameState:
        """Return what it remembers, compressed."""
        state = {"random": random_state(self), "stages": np.array(self._stages)}
        for stage, moments in self._moments.items():
            state |= with_prefix(f"{stage}/", packed_moments(moments))
        return state

    def restore(self, state: GameState, like: GameState) -> None:
        """Go on with what a ``state`` of as many games remembers.

        Args:
            state: What ``state`` returned.
            like: The state of one of the games.

        Raises:
            ValueError: If it is not such a state.
        """
        restore_random_state(self, state["random"])
        stages = state["stages"].tolist()
        if len(stages) != len(self._stages) or not all(0 <= stage < ALL_STAGES for stage in stages):
            raise ValueError("the games' stages are out of range")
        self._stages = stages
        self._moments.clear()
        for stage in range(ALL_STAGES):
            if moments := list(unpacked_moments(part_of(state, f"{stage}/"), MOMENTS_A_STAGE, like)):
                self._moments[stage].extend(moments)
