"""Trains SB3's A2C or PPO on Breakout with the RL zoo's settings for Atari; run by ``learning.race``.

Prints the raw score of each training game, and keeps the policy's weights once a minute.
"""

import os
import sys
import time
from pathlib import Path

import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike

from benchmarks.sb3.sb3_games import make_games

TOTAL_STEPS = 10_000_000
SNAPSHOT_SECONDS = 60.0


class Teller(BaseCallback):
    """Prints the score of each game, and writes snapshots."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._next = time.monotonic() + SNAPSHOT_SECONDS

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "episode" in info:
                print(f"step {self.num_timesteps} game {info['episode']['r']:.0f}", flush=True)
        if time.monotonic() >= self._next:
            self._next += SNAPSHOT_SECONDS
            torch.save(self.model.policy.state_dict(), self._folder / f"{self.num_timesteps}.pt")
        return True


def a2c() -> BaseAlgorithm:
    """Return the zoo's A2C."""
    policy = {"optimizer_class": RMSpropTFLike, "optimizer_kwargs": {"eps": 1e-5}}
    return A2C("CnnPolicy", make_games(16, seed=1), ent_coef=0.01, vf_coef=0.25, policy_kwargs=policy, seed=1)


def ppo() -> BaseAlgorithm:
    """Return the zoo's PPO."""
    return PPO(
        "CnnPolicy",
        make_games(8, seed=1),
        n_steps=128,
        n_epochs=4,
        batch_size=256,
        learning_rate=lambda left: left * 2.5e-4,
        clip_range=lambda left: left * 0.1,
        vf_coef=0.5,
        ent_coef=0.01,
        seed=1,
    )


def main() -> None:
    """Train the method that the command line names."""
    model = {"a2c": a2c, "ppo": ppo}[sys.argv[1]]()
    model.learn(TOTAL_STEPS, callback=Teller(Path(os.environ["SNAPSHOTS"])))


if __name__ == "__main__":
    main()
