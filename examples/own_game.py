"""A game of your own: catch what falls.

python train.py --import examples/own_game.py --preset cartpole --game catch --total-steps 100000
python play.py checkpoints/latest.pt --import examples/own_game.py --record catch.gif
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from breakout_a3c import register_game

SIDE = 10


class Catch(gymnasium.Env[Any, Any]):
    """A ball falls straight down; the paddle at the bottom is to be below it."""

    action_names = ("LEFT", "STAY", "RIGHT")
    metadata = {"render_fps": 10, "render_modes": ["rgb_array"]}
    action_space = Discrete(3)
    observation_space = Box(0.0, 1.0, (3,), np.float32)  # ball x, ball y, paddle x

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin a game."""
        super().reset(seed=seed)
        self.ball, self.paddle, self.height = *self.np_random.integers(SIDE, size=2), 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Move the paddle, and let the ball fall by one row."""
        self.paddle = np.clip(self.paddle + action - 1, 0, SIDE - 1)
        self.height += 1
        over = self.height == SIDE - 1
        return self._observe(), float(over and abs(self.ball - self.paddle) <= 1), over, False, {}

    def render(self) -> Any:
        """Return the screen."""
        screen = np.zeros((SIDE, SIDE, 3), np.uint8)
        screen[self.height, self.ball] = 255
        screen[-1, max(0, self.paddle - 1) : self.paddle + 2] = (80, 160, 255)
        return screen.repeat(20, axis=0).repeat(20, axis=1)

    def _observe(self) -> Any:
        return np.array([self.ball, self.height, self.paddle], np.float32) / SIDE


register_game("catch", Catch)
