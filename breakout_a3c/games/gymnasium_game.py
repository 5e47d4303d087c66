"""A game of gymnasium, as the programs ask every game: CartPole, and those of a user's own."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import DependencyNotInstalled
from gymnasium.spaces import Box, Discrete
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from breakout_a3c.dependencies import dependency_trouble
from breakout_a3c.errors import UserError
from breakout_a3c.games.state import GameState

FRAMES_PER_SECOND = 30  # of one that does not say


class GymnasiumGame(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """A game with discrete actions, whose observations are arrays: uint8, or else float32.

    Args:
        env: The game. See ``register_game`` for what it may have beside gymnasium's own.

    Raises:
        UserError: If its actions or observations are of another kind.
    """

    mirrored_actions: tuple[int, ...] | None = None  # its network is tied to no symmetry

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        actions, observations = env.action_space, env.observation_space
        if not isinstance(actions, Discrete) or actions.start != 0:
            raise UserError(f"the game's actions are {actions!s:.80}: A3C here needs gymnasium.spaces.Discrete(N).")
        if not isinstance(observations, Box):
            raise UserError(f"the game's observations are {observations!s:.80}: A3C here needs gymnasium.spaces.Box.")
        self._dtype = np.uint8 if observations.dtype == np.uint8 else np.float32
        self.frames_per_second = int(env.metadata.get("render_fps") or FRAMES_PER_SECOND)
        self.action_names: tuple[str, ...] = self._action_names(int(actions.n))

    def _action_names(self, count: int) -> tuple[str, ...]:
        """Return what the actions do, or their numbers."""
        names = getattr(self.unwrapped, "action_names", None)
        meanings: Callable[[], Any] | None = getattr(self.unwrapped, "get_action_meanings", None)
        names = meanings() if names is None and meanings else names
        return tuple(map(str, range(count) if names is None else names))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin a game."""
        observation, info = super().reset(seed=seed, options=options)
        return np.asarray(observation, self._dtype), info

    def step(self, action: Any) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Play one step."""
        observation, reward, terminated, truncated, info = super().step(int(action))
        return np.asarray(observation, self._dtype), float(reward), terminated, truncated, info

    def state(self) -> GameState:
        """Return where this game stands between two steps; nothing where the game cannot say it."""
        save = getattr(self.unwrapped, "state", None)
        return dict(save()) if callable(save) and self._can_restore() else {}

    def restore(self, state: GameState) -> NDArray[Any]:
        """Go on from ``state``, or begin anew; return the observation to act on."""
        if not state or not self._can_restore():
            return self.reset()[0]
        self.reset()
        return np.asarray(self.unwrapped.restore(state), self._dtype)  # type: ignore[attr-defined]

    def _can_restore(self) -> bool:
        return callable(getattr(self.unwrapped, "restore", None))

    def render(self) -> Any:
        """Return the screen.

        Raises:
            UserError: If the game draws none, or the package that draws it is missing or broken.
        """
        try:
            screen = super().render()
        except DependencyNotInstalled as error:
            raise UserError(dependency_trouble(error) or str(error)) from error
        if screen is None and self.render_mode != "human":
            raise UserError("the game draws no screen: build it with render_mode='rgb_array'.")
        return screen
