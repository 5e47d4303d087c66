"""Enough of OpenAI gym's interface of 2017 to run programs of that time, over gymnasium and today's emulator.

``reset`` returns the observation alone and ``step`` four values, games are seeded by ``seed``, and wrappers change
observations by ``observation`` or, before 2018, by ``_observation``.
"""

from typing import Any

import ale_py
import gymnasium
import numpy as np

from gym import spaces

gymnasium.register_envs(ale_py)


class Env:
    """An environment."""

    observation_space: Any
    action_space: Any

    @property
    def unwrapped(self) -> "Env":
        """Itself."""
        return self

    def seed(self, seed: int) -> None:
        """Begin the next game with this seed."""


class AtariEnv(Env):
    """A game of gymnasium, as gym showed it."""

    def __init__(self, name: str) -> None:
        self._game: Any = make_game(name)
        self._seed: int | None = None
        self._lives = 0
        self.spec = self._game.spec
        self.ale = self._game.unwrapped.ale
        self.observation_space = self._game.observation_space
        self.action_space = spaces.Discrete(int(self._game.action_space.n))
        self.np_random = np.random.RandomState(0)

    def get_action_meanings(self) -> list[str]:
        """Return the names of the actions."""
        meanings: list[str] = self._game.unwrapped.get_action_meanings()
        return meanings

    def seed(self, seed: int) -> None:
        """Begin the next game with this seed."""
        self._seed = seed
        self.np_random = np.random.RandomState(seed)

    def reset(self) -> Any:
        """Begin a game; return its first screen."""
        observation, _ = self._game.reset(seed=self._seed)
        self._seed = None
        return observation

    def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
        """Act; return screen, reward, whether the game is over, and what else is known."""
        observation, reward, terminated, truncated, info = self._game.step(int(np.asarray(action).item()))
        return observation, float(reward), bool(terminated or truncated), info


class Wrapper(Env):
    """An environment around another."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.observation_space = env.observation_space
        self.action_space = env.action_space

    def __getattr__(self, name: str) -> Any:
        if name == "env":
            raise AttributeError(name)
        return getattr(self.env, name)

    @property
    def unwrapped(self) -> Any:
        """The innermost environment."""
        return self.env.unwrapped

    def seed(self, seed: int) -> None:
        """Begin the next game with this seed."""
        self.env.seed(seed)

    def reset(self, **options: Any) -> Any:
        """Begin a game."""
        return self.env.reset(**options)

    def step(self, action: Any) -> Any:
        """Act."""
        return self.env.step(action)


class ObservationWrapper(Wrapper):
    """Changes each observation."""

    def observation(self, observation: Any) -> Any:
        """Return the changed observation."""
        return self._observation(observation)

    def reset(self, **options: Any) -> Any:
        """Begin a game."""
        return self.observation(self.env.reset(**options))

    def step(self, action: Any) -> Any:
        """Act."""
        observation, reward, done, info = self.env.step(action)
        return self.observation(observation), reward, done, info


def make_game(name: str) -> Any:
    """Return gymnasium's game; it has no names any more that end in Deterministic-v4: four frames a step."""
    if name.endswith("Deterministic-v4"):
        game = name.removesuffix("Deterministic-v4")
        return gymnasium.make(f"ALE/{game}-v5", frameskip=4, repeat_action_probability=0.0)
    return gymnasium.make(name)


def make(name: str) -> AtariEnv:
    """Return a game by its name."""
    return AtariEnv(name)
