"""CartPole-v1 as an environment whose games can be saved and restored."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from breakout_a3c.games.gymnasium_game import GymnasiumGame
from breakout_a3c.games.state import GameState, random_state, restore_random_state


class CartPole(GymnasiumGame):
    """CartPole-v1, whose games can be saved and restored; an agent step is an Euler step of 0.02 s."""

    def _action_names(self, count: int) -> tuple[str, ...]:
        return ("LEFT", "RIGHT")

    def state(self) -> GameState:
        """Return where this game stands between two steps."""
        return {
            "elapsed": np.array(self._time_limit()._elapsed_steps),
            "observation": np.array(self._physics().state),
            "random": random_state(self.unwrapped),
        }

    def restore(self, state: GameState) -> NDArray[np.float32]:
        """Go on from ``state``; return the observation to act on."""
        self.reset()
        self._time_limit()._elapsed_steps = int(state["elapsed"])
        self._physics().state = state["observation"].copy()
        restore_random_state(self.unwrapped, state["random"])
        return state["observation"].astype(np.float32)

    def _time_limit(self) -> Any:
        return cast(Any, self.env)  # gymnasium gives its count no public name

    def _physics(self) -> Any:
        return cast(Any, self.unwrapped)
