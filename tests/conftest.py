"""Checkpoints of untrained networks, for whatever plays; and nothing outlives its test."""

import gc
from pathlib import Path

import pytest
import torch

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.make import make_environment
from breakout_a3c.launch import GARBAGE_THRESHOLD
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import make_network
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.checkpoints import Checkpoint
from breakout_a3c.saving.run_folder import RunFolder
from tests.running import nothing_is_left, nothing_outlives_its_module, nothing_outlives_its_test

__all__ = ["nothing_is_left", "nothing_outlives_its_module", "nothing_outlives_its_test"]

# As the programs have it.
torch.set_num_threads(1)
gc.set_threshold(GARBAGE_THRESHOLD)


# Or one of them would be the last that runs.
LONG_FIRST = ("cluster", "programs", "torture", "library", "learning", "training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders whose files take long; xdist gives out a file at a time."""
    items.sort(key=lambda item: item.path.parent.name not in LONG_FIRST)


def save_untrained(config: TrainConfig, root: Path) -> Path:
    """Save an untrained network and return its ``latest.pt``."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = make_network(config.network, make_environment(config.game))
    parameters = LocalParameters(network).float32_parameters()
    checkpoint = Checkpoint(
        config=config,
        run="untrained",
        parameters=parameters,
        averaged_parameters=parameters,
        square_average=torch.zeros_like(parameters),
        gradient_average=torch.zeros(0),
        steps=12_345,
        updates=67,
        games=8,
        minutes=0.5,
        best_evaluation=None,
    )
    folder = RunFolder(root, checkpoint.run)
    folder.save(checkpoint, keep=1)
    folder.close()
    return root / "latest.pt"


@pytest.fixture(scope="session")
def checkpoint_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained Breakout agent, in float32 so that it plays the same games everywhere."""
    return save_untrained(PRESETS["breakout"].replace(precision="float32"), tmp_path_factory.mktemp("breakout"))


@pytest.fixture(scope="session")
def cartpole_checkpoint_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained CartPole agent."""
    return save_untrained(PRESETS["cartpole"], tmp_path_factory.mktemp("cartpole"))
