"""A trained network with what is needed to let it play."""

from dataclasses import dataclass
from pathlib import Path

import torch

from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic, resolve_precision
from breakout_a3c.saving.checkpoints import Checkpoint, check_fits, load_checkpoint
from breakout_a3c.saving.model_names import SUFFIX
from breakout_a3c.saving.published import load_model
from breakout_a3c.saving.weights import network_of


@dataclass(frozen=True, slots=True)
class Agent:
    """A trained network with what is needed to let it play."""

    network: ActorCritic
    checkpoint: Checkpoint

    @property
    def precision(self) -> torch.dtype:
        """The arithmetic of the convolutions and the dense layer."""
        return next(self.network.trunks.parameters()).dtype


def build_agent(checkpoint: Checkpoint, path: Path, precision: torch.dtype | None = None) -> Agent:
    """Rebuild the network of a checkpoint that was read from ``path``, ready to play.

    Args:
        checkpoint: The weights and their settings.
        path: Named in an error.
        precision: Of the arithmetic; None: that of the training, if this CPU has it.

    Raises:
        UserError: If its parameters do not fit its network.
    """
    network = network_of(checkpoint.config)
    local = LocalParameters(network, precision or precision_here(checkpoint))
    check_fits(checkpoint, local.size, path)
    local.pull(checkpoint.averaged_parameters)
    return Agent(network.requires_grad_(False).eval(), checkpoint)


def precision_here(checkpoint: Checkpoint) -> torch.dtype:
    """Return the arithmetic of the training; bf16 only where the CPU has it: in software it takes 8 times as long."""
    in_float32 = "float32" in (checkpoint.precision, checkpoint.config.network.precision)
    return resolve_precision("float32" if in_float32 else "auto")


def load_weights(path: Path) -> Checkpoint:
    """Read a checkpoint or a model, by the file's ending."""
    return load_model(path) if path.suffix == SUFFIX else load_checkpoint(path)


def load_agent(path: Path) -> Agent:
    """Load a checkpoint or a model, ready to play.

    Raises:
        UserError: If the file is missing, damaged, or its parameters do not fit its network.
    """
    return build_agent(load_weights(path), path)
