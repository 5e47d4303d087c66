"""The actor-critic networks: one trunk, a policy head and a value head."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from breakout_a3c.config import Network, Precision


class ConvTrunk(nn.Module):
    """Convolutions and one dense layer over stacked gray frames.

    Activations are channels-last throughout, which is how the observations lie in memory: the
    dense layer reads them in (height, width, channel) order and nothing is ever transposed.
    """

    def __init__(self, layers: tuple[tuple[int, int, int], ...], num_features: int) -> None:
        super().__init__()
        in_channels, side = 4, 84
        convolutions: list[nn.Module] = []
        for out_channels, kernel, stride in layers:
            convolutions.append(nn.Conv2d(in_channels, out_channels, kernel, stride))
            in_channels, side = out_channels, (side - kernel) // stride + 1
        self.convolutions = nn.ModuleList(convolutions)
        self.dense = nn.Linear(side * side * in_channels, num_features)
        self.num_features = num_features

    def forward(self, observations: Tensor) -> Tensor:
        """Map ``(B, 84, 84, 4)`` uint8 to ``(B, num_features)`` in the trunk's own precision."""
        x = observations.permute(0, 3, 1, 2).to(self.dense.weight.dtype)  # (B, 4, 84, 84)
        first, *others = self.convolutions
        # 0..255 to 0..1 in the 4,096 weights rather than in 28,224 pixels for each observation.
        x = functional.conv2d(x, first.weight * (1 / 255), first.bias, first.stride).relu_()
        for convolution in others:
            x = convolution(x).relu_()
        x = x.permute(0, 2, 3, 1).flatten(1)  # (B, H * W * C), a view
        return self.dense(x).relu_()


class DenseTrunk(nn.Module):
    """One hidden layer over a small vector observation, for CartPole."""

    def __init__(self, num_inputs: int, num_features: int) -> None:
        super().__init__()
        self.dense = nn.Linear(num_inputs, num_features)
        self.num_features = num_features

    def forward(self, observations: Tensor) -> Tensor:
        """Map ``(B, num_inputs)`` float32 to ``(B, num_features)``."""
        return self.dense(observations.to(self.dense.weight.dtype)).relu_()


class Heads(nn.Module):
    """Policy logits and state value, always in float32."""

    def __init__(self, num_features: int, num_actions: int) -> None:
        super().__init__()
        self.policy = nn.Linear(num_features, num_actions)
        self.value = nn.Linear(num_features, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(B, num_features)`` to logits ``(B, A)`` and values ``(B,)``."""
        features = features.float()
        return self.policy(features), self.value(features).squeeze(-1)


def make_trunk(network: Network, observation_shape: tuple[int, ...]) -> ConvTrunk | DenseTrunk:
    """Build the trunk called ``network`` for observations of the given shape, without the batch."""
    if network == "paper":  # Mnih et al. 2016, section 5.1
        return ConvTrunk(((16, 8, 4), (32, 4, 2)), 256)
    if network == "nature":  # Mnih et al. 2015, methods
        return ConvTrunk(((32, 8, 4), (64, 4, 2), (64, 3, 1)), 512)
    return DenseTrunk(math.prod(observation_shape), 256)


class ActorCritic(nn.Module):
    """A policy and a value function on one trunk.

    Args:
        network: Name of the trunk.
        observation_shape: Shape of one observation, ``(84, 84, 4)`` for Atari.
        num_actions: Size of the policy.
    """

    def __init__(self, network: Network, observation_shape: tuple[int, ...], num_actions: int) -> None:
        super().__init__()
        self.trunk = make_trunk(network, observation_shape)
        self.heads = Heads(self.trunk.num_features, num_actions)
        self.num_actions = num_actions
        self._initialise()

    def _initialise(self) -> None:
        """Draw orthogonal weights with the gains of OpenAI baselines' a2c; biases are zero."""
        gains = {self.heads.policy: 0.01, self.heads.value: 1.0}
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(module.weight, gains.get(module, math.sqrt(2)))
                nn.init.zeros_(module.bias)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits ``(B, A)`` and values ``(B,)``, both float32."""
        logits, values = self.heads(self.trunk(observations))
        return logits, values


def resolve_precision(precision: Precision) -> torch.dtype:
    """Return the dtype of the trunk: bf16 only where the CPU multiplies it in hardware."""
    if precision == "auto":
        capabilities = torch.cpu.get_capabilities()
        fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32
