"""Builds the game that a config describes."""

from collections.abc import Sequence
from typing import Any

import gymnasium

from breakout_a3c.config import CARTPOLE, TrainConfig
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.cartpole import CartPole


def make_environment(config: TrainConfig, seed: int | None = None, **changes: Any) -> AtariGame | CartPole:
    """Build the environment that ``config`` describes.

    Args:
        config: The run's settings.
        seed: Of this game alone: games that share a seed are the same game.
        **changes: Arguments of AtariGame to set otherwise, such as the evaluation's
            ``max_episode_frames`` or ``sticky``.
    """
    if config.game == CARTPOLE:
        environment = CartPole(gymnasium.make("CartPole-v1", render_mode="rgb_array"))
        environment.reset(seed=seed)
        return environment
    settings: dict[str, Any] = {
        "actions": config.actions,
        "frame_skip": config.frame_skip,
        "max_noops": config.max_noops,
        "sticky": config.sticky,
        "auto_fire": config.auto_fire,
        "refill_on_life_loss": config.terminal_on_life_loss,
        "max_episode_frames": config.max_episode_frames,
    }
    return AtariGame(config.game, seed=seed, **(settings | changes))


Game = AtariGame | CartPole


def make_environments(config: TrainConfig, seeds: Sequence[int]) -> list[Game]:
    """Build the games that one actor-learner plays at once, one for each seed."""
    return [make_environment(config, seed) for seed in seeds]
