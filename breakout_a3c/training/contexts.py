"""What starts the processes of a training.

Nothing here imports torch: the forkserver imports it beside the program that asks for it.
"""

import os

from breakout_a3c.config import TrainConfig
from breakout_a3c.processes.start import Context, process_context

PRELOAD = ("breakout_a3c.learning.actor_learner", "breakout_a3c.playing.evaluation")  # what its children run
PRELOAD_EMULATORS = "breakout_a3c.games.preload"


def training_context(config: TrainConfig) -> Context:
    """Return what starts a training's processes, with emulators for an actor-learner."""
    if not config.game.is_atari:
        return process_context(config.upkeep.start_method, PRELOAD)
    os.environ["FORKSERVER_EMULATORS"] = f"{config.game.name} {config.learners.envs}"
    return process_context(config.upkeep.start_method, (*PRELOAD, PRELOAD_EMULATORS))
