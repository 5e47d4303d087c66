"""Training games in which a lost life may be played again, from a moment shortly before.

Balls are lost rarely, and within a second of a hit. Half of the games meet such moments several times, so that what
decides them is learned from more tries (Florensa et al. 2017, "Reverse curriculum generation"; Tavakoli et al. 2018,
"Exploring restart distributions"). The emulator has to be one that can be put back.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np

from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.late_starts import Moment, packed_moments, unpacked_moments
from breakout_a3c.games.state import GameState, part_of, random_state, restore_random_state, with_prefix

SHARE = 0.5  # of the games that are played at once
STEPS_BETWEEN = 10  # two moments, in agent steps
MOMENTS = 8  # kept of a game, the newest
TOO_LATE = 1  # of them: the ball is lost there already


class SecondChances:
    """The newest moments of the games that have second chances, and the choice of where they go on.

    Args:
        probability: With which a lost life is played again.
        games: How many are played at once.
        seed: Of the choice.
    """

    def __init__(self, probability: float, games: int, seed: int) -> None:
        self._probability = probability
        self.np_random = np.random.default_rng(seed)
        self._steps = [0] * int(SHARE * games)  # since the newest moment of each game
        self._moments: list[deque[Moment]] = [deque(maxlen=MOMENTS) for _ in self._steps]

    def __len__(self) -> int:
        """Return how many of the games have second chances: the first ones."""
        return len(self._steps)

    def see(self, index: int, environment: AtariGame, episode_return: float, episode_length: int) -> None:
        """Remember where game ``index`` stands, once in ten steps."""
        self._steps[index] += 1
        if self._steps[index] == STEPS_BETWEEN:
            self._steps[index] = 0
            self._moments[index].append(Moment(episode_return, episode_length, environment.state()))

    def draw(self, index: int) -> Moment | None:
        """Return where game ``index``, which has lost a life, is to go on; None: with its next life.

        What came after that moment is forgotten; so is all of a life that is over.
        """
        moments = self._moments[index]
        self._steps[index] = 0
        if len(moments) <= TOO_LATE or self.np_random.random() >= self._probability:
            moments.clear()
            return None
        chosen = int(self.np_random.integers(len(moments) - TOO_LATE))
        while len(moments) > chosen + 1:
            moments.pop()
        return moments[chosen]

    def forget(self, index: int) -> None:
        """Forget the moments of game ``index``, which has ended."""
        self._steps[index] = 0
        self._moments[index].clear()

    def state(self) -> GameState:
        """Return what it remembers, compressed."""
        state = {"random": random_state(self), "steps": np.array(self._steps)}
        for index, moments in enumerate(self._moments):
            state |= with_prefix(f"{index}/", packed_moments(moments))
        return state

    def restore(self, state: GameState, environments: Sequence[AtariGame]) -> None:
        """Go on with what a ``state`` of as many games remembers.

        Args:
            state: What ``state`` returned.
            environments: The games, whose own states have the shapes of those remembered.

        Raises:
            ValueError: If it is not such a state.
        """
        restore_random_state(self, state["random"])
        steps = state["steps"].tolist()
        if len(steps) != len(self) or not all(0 <= each < STEPS_BETWEEN for each in steps):
            raise ValueError("the steps since the games' moments are out of range")
        self._steps = steps
        for index, moments in enumerate(self._moments):
            moments.clear()
            moments.extend(unpacked_moments(part_of(state, f"{index}/"), MOMENTS, environments[index].state()))
