"""The plan of a training: its settings, its folders, and the weights that it starts from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from breakout_a3c.config import Device, TrainConfig
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning.networks import make_network
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.saving.checkpoints import Checkpoint, check_fits

if TYPE_CHECKING:
    from breakout_a3c.playing.page_address import Address


class DeviceChoice(NamedTuple):
    """Where the layers of the actor-learners compute, the GPU's name, and what is said of it at the start."""

    name: Device = "cpu"
    gpu: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train, where to write, and what to start from.

    ``resume`` continues that run with its counters and curves. ``initial`` gives only its weights to a new run.
    Messages call either of them ``source``. ``wandb`` shows the curves in Weights & Biases, too; ``address`` is that of
    a page with its games; ``cluster`` says on which machines it is trained; ``device`` where its layers compute.
    """

    config: TrainConfig
    run: str
    checkpoints: Path
    runs: Path
    resume: Checkpoint | None = None
    initial: Checkpoint | None = None
    source: Path = Path()
    wandb: bool = False
    cluster: str = ""  # options that spread it over machines, as they are typed
    address: "Address | None" = None
    device: DeviceChoice = DeviceChoice()


def initial_parameters(plan: TrainingPlan) -> SharedParameters:
    """Return what the actor-learners share at the start: fresh, resumed, or from a model.

    Raises:
        UserError: If there is no such game, or the weights do not fit the network.
    """
    torch.manual_seed(plan.config.upkeep.seed)
    environment = make_environment(plan.config.game)
    network = make_network(plan.config.network, environment)
    environment.close()
    shared = SharedParameters.of_network(network, plan.config)
    source = plan.resume or plan.initial
    if source is not None:
        check_fits(source, shared.parameters.numel(), plan.source)
        shared.parameters.copy_(source.parameters if plan.resume else source.averaged_parameters)
    if plan.resume is not None:
        resume = plan.resume
        shared.optimizer.restore(resume.square_average, resume.gradient_average)
        shared.restore_counts(resume.steps, resume.updates, resume.games, resume.minutes)
    return shared


def resumed_play_states(plan: TrainingPlan) -> dict[int, Tensor]:
    """Return the saved states of games by actor-learner; none where each of them now plays more or fewer games."""
    if plan.resume is None or plan.resume.config.learners.envs != plan.config.learners.envs:
        return {}
    return dict(enumerate(plan.resume.play_states))
