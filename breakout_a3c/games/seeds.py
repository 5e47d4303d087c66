"""Seeds of games: even ones for training, odd ones for evaluation."""

import numpy as np

from breakout_a3c.config import GAMES_PER_SEED


def training_seeds(sequence: np.random.SeedSequence, count: int) -> list[int]:
    """Draw even seeds: evaluation has the odd ones."""
    words = sequence.generate_state(count) >> 1  # 31 bits, which every generator takes
    return [int(word) & ~1 for word in words]


def evaluation_seeds(seed: int, episodes: int) -> list[int]:
    """Return the odd seeds of the games of an evaluation; each ``seed`` has games of its own."""
    return [2 * (seed * GAMES_PER_SEED + game) + 1 for game in range(episodes)]


def action_generator(seed: int) -> np.random.Generator:
    """Return the random numbers that choose the actions of a game of an evaluation; the game's own are others."""
    return np.random.default_rng([seed, 1])
