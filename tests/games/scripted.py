"""A game whose every step is written down."""

from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray


class Step(NamedTuple):
    """What one step of a scripted game returns."""

    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    life_lost: bool = False


ON, DEAD, TRUNCATED = Step(), Step(terminated=True), Step(truncated=True)


class ScriptedGame(gymnasium.Env[NDArray[np.float32], int]):
    """Plays the same script again and again; an observation tells who, which game, and which step."""

    observation_space = Box(-np.inf, np.inf, (4,), np.float32)
    action_space = Discrete(2)
    mirrored_actions = None

    def __init__(self, *script: Step, name: int = 0) -> None:
        self.script = script
        self.name = name
        self.games = -1
        self.actions: list[int] = []

    def observe(self) -> NDArray[np.float32]:
        return np.array([self.name, self.games, self.step_in_game, 1], np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.games += 1
        self.step_in_game = 0
        return self.observe(), {}

    def step(self, action: int) -> Any:
        step = self.script[self.step_in_game]
        self.actions.append(action)
        self.step_in_game += 1
        return self.observe(), step.reward, step.terminated, step.truncated, {"life_lost": step.life_lost}

    def state(self) -> dict[str, NDArray[Any]]:
        return {"games": np.array(self.games), "step": np.array(self.step_in_game)}

    def restore(self, state: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        self.games, self.step_in_game = int(state["games"]), int(state["step"])
        return self.observe()
