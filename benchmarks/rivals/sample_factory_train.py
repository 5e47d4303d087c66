"""Sample Factory's own program for Atari, with today's emulator and the score of each game; run by ``learning.race``.

The processes that Sample Factory starts import this file, too.
"""

import sys
from typing import Any

import ale_py  # noqa: F401 - it tells gymnasium its games
import gymnasium
from sf_examples.atari import train_atari
from sf_examples.atari.atari_utils import make_atari_env


class Teller(gymnasium.Wrapper):
    """Prints the raw score of each game, which its learner sees clipped and life by life."""

    def step(self, action: Any) -> Any:
        """Act."""
        *seen, info = self.env.step(action)
        if "episode" in info:
            print(f"game {float(info['episode']['r']):.0f}", flush=True)
        return *seen, info


def make_told_env(*arguments: Any, **options: Any) -> Teller:
    """Return what Sample Factory makes, and tell of it; the arguments are those of ``make_atari_env``."""
    return Teller(make_atari_env(*arguments, **options))


train_atari.make_atari_env = make_told_env

if __name__ == "__main__":
    sys.exit(train_atari.main())
