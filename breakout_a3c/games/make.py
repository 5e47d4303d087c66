"""Builds the game that the settings describe."""

from collections.abc import Sequence
from typing import Any

import gymnasium

from breakout_a3c.config import CARTPOLE, GameOptions
from breakout_a3c.extensions import GAMES
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.cartpole import CartPole
from breakout_a3c.games.gymnasium_game import GymnasiumGame

Game = AtariGame | GymnasiumGame


def make_environment(options: GameOptions, seed: int | None = None, **changes: Any) -> Game:
    """Build the environment that ``options`` describe.

    Args:
        options: Which game, and its rules.
        seed: Of this game alone: games that share a seed are the same game.
        **changes: Arguments of AtariGame to set otherwise, such as the evaluation's
            ``max_episode_frames`` or ``sticky``.

    Raises:
        UserError: If there is no such game.
    """
    if not options.is_atari:
        environment = make_other(options.name)
        environment.reset(seed=seed)
        return environment
    return AtariGame(options.name, seed=seed, **(atari_settings(options) | changes))


def atari_settings(options: GameOptions) -> dict[str, Any]:
    """Return the arguments of AtariGame that ``options`` describe."""
    return {
        "actions": options.actions,
        "frame_skip": options.frame_skip,
        "max_noops": options.max_noops,
        "sticky": options.sticky,
        "auto_fire": options.auto_fire,
        "refill_on_life_loss": options.terminal_on_life_loss,
        "max_episode_frames": options.max_episode_frames,
    }


def make_other(name: str) -> GymnasiumGame:
    """Build CartPole, or a game of the user's own."""
    if name == CARTPOLE:
        return CartPole(gymnasium.make("CartPole-v1", render_mode="rgb_array"))
    return GymnasiumGame(GAMES[name]())


def make_environments(options: GameOptions, seeds: Sequence[int]) -> list[Game]:
    """Build the games that one actor-learner plays at once, one for each seed."""
    return [make_environment(options, seed) for seed in seeds]
