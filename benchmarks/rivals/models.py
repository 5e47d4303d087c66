"""A rival's weights as an agent of ours, so that they play by our protocol."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.agent import Agent, build_agent
from breakout_a3c.saving.checkpoints import Checkpoint
from breakout_a3c.saving.weights import flat_weights, network_of

OUR_LAYERS = (
    "trunks.0.convolutions.0", "trunks.0.convolutions.1", "trunks.0.convolutions.2", "trunks.0.dense",
    "heads.policy", "heads.value",
)  # fmt: skip
DENSE = "trunks.0.dense.weight"
CHANNELS, SIDE = 64, 7  # of the last convolution's output


def config_of_rivals() -> TrainConfig:
    """Return settings whose network and actions are theirs: Mnih et al. 2015, and the minimal set of four."""
    return PRESETS["breakout"].replace(
        network="nature", symmetric=False, background="black", actions="minimal", precision="float32"
    )


def named_as_ours(weights: Mapping[str, Tensor], layers: Sequence[str]) -> dict[str, Tensor]:
    """Return weights under our names, those of the dense layer in our order of inputs.

    Args:
        weights: A state dict.
        layers: Its names of our layers, in their order.
    """
    found = {
        f"{ours}.{kind}": weights[f"{theirs}.{kind}"].float()
        for ours, theirs in zip(OUR_LAYERS, layers, strict=True)
        for kind in ("weight", "bias")
    }
    dense = found[DENSE].view(-1, CHANNELS, SIDE, SIDE)  # they flatten channels first
    return found | {DENSE: dense.permute(0, 2, 3, 1).flatten(1)}


def agent_of(path: Path, layers: Sequence[str]) -> Agent:
    """Return what a snapshot of a rival plays.

    Args:
        path: A state dict by ``torch.save``.
        layers: Its names of our layers, in their order.
    """
    config = config_of_rivals()
    flat = flat_weights(named_as_ours(torch.load(path, weights_only=True), layers), network_of(config))
    nothing = torch.zeros(0)
    checkpoint = Checkpoint(
        config, "rival", flat, flat, nothing, nothing, steps=0, updates=0, games=0, minutes=0.0, best_evaluation=None
    )
    return build_agent(checkpoint, path)
