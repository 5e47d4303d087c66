"""A checkpoint says where the games stand; whatever it says, each actor-learner plays on, or begins new games."""

import random
import time

import numpy as np
import pytest
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from breakout_a3c.games.batch import MAX_COUNT, FinishedGame
from breakout_a3c.games.make import make_environments
from breakout_a3c.learning.networks import make_network
from breakout_a3c.learning.rollout import RolloutCollector
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.training.supervisor import Supervisor
from tests.starting import IMPORTS_SECONDS, training_context
from tests.torture.effort import rounds

CONFIG = BREAKOUT.replace(threads=4, envs=2, total_steps=None)
SECONDS = 60.0 + 2 * IMPORTS_SECONDS


@pytest.fixture(scope="module")
def whole() -> bytes:
    return RolloutCollector(CONFIG, make_environments(CONFIG.game, [0, 2]), 0).state()


def any_array(like: NDArray[np.generic], chance: random.Random) -> NDArray[np.generic]:
    """Return an array as a damaged or hostile file may hold one."""
    noise = np.frombuffer(chance.randbytes(like.nbytes), np.uint8)
    choices = (
        noise.view(like.dtype).reshape(like.shape),
        np.where(noise < 5, noise, np.frombuffer(like.tobytes(), np.uint8)).view(like.dtype).reshape(like.shape),
        like.ravel()[: chance.randrange(like.size)],
        np.full(like.shape, 1e300),
        np.full(like.shape, -1),
        np.full(like.shape, np.nan),
        np.zeros((3, 3), np.int16),
    )
    return chance.choice(choices)


def damaged(whole: bytes, chance: random.Random) -> Tensor:
    """Return a state of games of which a part is something else."""
    if chance.random() < 0.25:
        place = chance.randrange(len(whole))
        content = whole[:place] + chance.randbytes(chance.randrange(1, 40)) + whole[place + chance.randrange(40) :]
    else:
        arrays = safetensors.numpy.load(whole)
        name = chance.choice(sorted(arrays))
        content = safetensors.numpy.save(arrays | {name: any_array(arrays[name], chance)})
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def test_games_that_stand_nowhere_cost_a_start_at_most(whole: bytes, chance: random.Random) -> None:
    network = make_network(CONFIG.network, make_environments(CONFIG.game, [0])[0])
    for _ in range(rounds(1, 12)):
        shared = SharedParameters.of_network(network, CONFIG)
        states = {learner_id: damaged(whole, chance) for learner_id in range(CONFIG.learners.threads)}
        supervisor = Supervisor(training_context(), CONFIG, shared, states)
        supervisor.start()
        games: list[FinishedGame] = []
        deadline = time.monotonic() + SECONDS
        try:
            while (shared.updates < 5).any():
                assert time.monotonic() < deadline, f"one hangs: updates {shared.updates}, {supervisor.error}"
                games += [game for report in supervisor.poll(0.1) for game in report.games]
        finally:
            games += [game for report in supervisor.stop() for game in report.games]
        assert supervisor.deaths <= CONFIG.learners.threads
        assert all(abs(game.episode_return) < MAX_COUNT and 0 < game.episode_length < MAX_COUNT for game in games)


def test_scores_that_no_game_has_are_refused(whole: bytes) -> None:
    collector = RolloutCollector(CONFIG, make_environments(CONFIG.game, [0, 2]), 0)
    arrays = safetensors.numpy.load(whole)
    for name, value in (("returns", 1e300), ("returns", np.nan), ("lengths", -1.0)):
        with pytest.raises(ValueError, match="out of range"):
            collector.restore(safetensors.numpy.save(arrays | {name: np.full(2, value)}))
    collector.restore(whole)
