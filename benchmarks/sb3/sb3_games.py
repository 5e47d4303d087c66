"""SB3's own Atari environment for Breakout, in processes; used in SB3's virtual environment."""

from typing import Any

import ale_py
import gymnasium
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import SubprocVecEnv, VecFrameStack


def make_games(number: int, seed: int, **wrapper: Any) -> VecFrameStack:
    """Start ``number`` games without sticky actions; ``wrapper`` goes to SB3's AtariWrapper."""
    gymnasium.register_envs(ale_py)
    games = make_atari_env(
        "ALE/Breakout-v5",
        n_envs=number,
        seed=seed,
        env_kwargs={"frameskip": 1, "repeat_action_probability": 0.0},
        wrapper_kwargs=wrapper,
        vec_env_cls=SubprocVecEnv,
    )
    return VecFrameStack(games, 4)
