"""How many actor-learners, with how many games, suit a number of cores, where the user has not said it."""

from collections.abc import Collection

from breakout_a3c.config import SETTINGS, TrainConfig

MOST_THREADS = SETTINGS["threads"][1].metadata["high"]

# Beyond so many at a time, fewer games each: late steps count for less, and more of them make up for it
# (docs/notes/lateness.md).
FEW_AT_A_TIME = 4
GAMES_OF_MANY = 8


def fitted_to_cores(config: TrainConfig, given: Collection[str], cores: int) -> TrainConfig:
    """Return the settings of a new A3C run on Atari for a number of cores; other runs keep theirs.

    Args:
        config: The settings of the preset, and those that the user gave.
        given: The names of the latter, which stay.
        cores: That this machine has for it.
    """
    if config.learners.algorithm != "a3c" or not config.game.is_atari:
        return config
    if "threads" not in given:
        config = config.replace(threads=min(MOST_THREADS, max(config.learners.threads, cores)))
    if "envs" not in given and min(config.learners.threads, cores) > FEW_AT_A_TIME:
        config = config.replace(envs=min(config.learners.envs, GAMES_OF_MANY))
    return config
