"""Trains SB3's A2C on Breakout for ever; run by speed/sb3_training.py in a virtual environment of its own."""

import struct
import sys
from pathlib import Path

import gymnasium
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from benchmarks.sb3.sb3_games import make_games


class SmallCnn(BaseFeaturesExtractor):
    """Convolutions of 16 and 32 filters and a dense layer of 256 (Mnih et al. 2016)."""

    def __init__(self, observation_space: gymnasium.spaces.Box) -> None:
        super().__init__(observation_space, features_dim=256)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(observation_space.shape[0], 16, 8, 4),
            torch.nn.ReLU(),
            torch.nn.Conv2d(16, 32, 4, 2),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(2592, 256),
            torch.nn.ReLU(),
        )

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Map ``(B, 4, 84, 84)`` in 0..1 to ``(B, 256)``."""
        return self.layers(observations)


class StepCounter(BaseCallback):
    """Writes the number of agent steps to a file after each step."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("r+b", buffering=0)

    def _on_step(self) -> bool:
        self._file.seek(0)
        self._file.write(struct.pack("q", self.num_timesteps))
        return True


def main() -> None:
    """Train until killed."""
    network, environments, counter = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    games = make_games(environments, seed=1)
    policy = {"features_extractor_class": SmallCnn} if network == "paper" else {}
    # Hyper-parameters of the RL zoo for Atari.
    rmsprop = {"eps": 1e-5}
    policy |= {"optimizer_kwargs": rmsprop}
    model = A2C("CnnPolicy", games, ent_coef=0.01, vf_coef=0.25, policy_kwargs=policy)
    model.learn(1_000_000_000, callback=StepCounter(counter))


if __name__ == "__main__":
    main()
