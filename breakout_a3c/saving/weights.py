"""Weights under their layers' names, in torch's own shapes, and as the flat vector of a training."""

from collections.abc import Mapping

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning.local_parameters import as_stored, views_of
from breakout_a3c.learning.networks import ActorCritic, make_network


def network_of(config: TrainConfig) -> ActorCritic:
    """Build the network of ``config``, with fresh weights.

    Raises:
        UserError: If there is no such game.
    """
    environment = make_environment(config.game)
    network = make_network(config.network, environment)
    environment.close()
    return network


def named_weights(flat: Tensor, network: ActorCritic) -> dict[str, Tensor]:
    """Return the weights in the flat vector ``(P,)`` by the names of ``network.state_dict()``, contiguous.

    A convolution's are ``(output, input, height, width)``. The first dense layer reads what the last convolution
    puts out in the order height, width, channel.
    """
    names, parameters = zip(*network.named_parameters(), strict=True)
    return {
        name: view.clone(memory_format=torch.contiguous_format)
        for name, view in zip(names, views_of(flat, list(parameters)), strict=True)
    }


def flat_weights(named: Mapping[str, Tensor], network: ActorCritic) -> Tensor:
    """Return named weights as one vector ``(P,)`` float32, in the layout of ``LocalParameters``.

    Raises:
        ValueError: If a name, a shape or a type is not that of ``network``.
    """
    expected = dict(network.named_parameters())
    # Names and shapes may come from any file: each is shown only as far as it fits a sentence.
    if unknown := sorted(named.keys() - expected.keys()):
        raise ValueError(f"the network has no layer {unknown[0]!r:.50}")
    for name, parameter in expected.items():
        if name not in named:
            raise ValueError(f"there is no layer {name!r}")
        weight = named[name]
        if weight.shape != parameter.shape or weight.dtype != torch.float32:
            found, wanted = f"{tuple(weight.shape)!s:.50} {weight.dtype}", f"{tuple(parameter.shape)} {torch.float32}"
            raise ValueError(f"{name} is {found}, not {wanted}")
    return torch.cat([as_stored(named[name]).flatten() for name in expected])
