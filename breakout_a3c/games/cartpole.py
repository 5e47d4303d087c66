"""CartPole-v1 as an environment whose games can be saved and restored."""

from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.error import DependencyNotInstalled
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from breakout_a3c.dependencies import dependency_trouble
from breakout_a3c.errors import UserError
from breakout_a3c.games.state import GameState, random_state, restore_random_state


class CartPole(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """CartPole-v1, whose games can be saved and restored.

    Args:
        env: The game, in its time limit.
    """

    action_names = ("LEFT", "RIGHT")
    mirrored_actions = None  # its network is not tied to the symmetry that the game has
    frames_per_second = 50  # Euler steps of 0.02 s

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)

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

    def render(self) -> Any:
        """Return the screen.

        Raises:
            UserError: If pygame, which draws it, is missing or broken.
        """
        try:
            return super().render()
        except DependencyNotInstalled as error:
            raise UserError(dependency_trouble(error) or str(error)) from error

    def _time_limit(self) -> Any:
        return cast(Any, self.env)  # gymnasium gives its count no public name

    def _physics(self) -> Any:
        return cast(Any, self.unwrapped)
