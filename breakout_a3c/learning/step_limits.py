"""How far one update may move the policy and the value function.

Where the loss is steep, a step of the usual size can change the policy beyond recognition, and all that was learned is
lost within seconds. Or it moves the values so far that no unit below them stays active. A step that goes too far
is shortened (Schulman et al. 2015, "Trust region policy optimization"; Wu et al. 2017, "ACKTR", sections 3.1 and 3.3:
by a quadratic model of both changes, where this measures them).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from breakout_a3c.config import StepLimitOptions
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.learning.rollout import Rollout

SAMPLE = 32  # states: a forward pass of them takes 1 to 4% of a rollout's time
GAMES = 2  # at least, where a network with a memory replays whole ones


class PolicyChange(NamedTuple):
    """By how much a step changes policy and values; nan or infinite for a step that leaves neither usable."""

    kl: float  # nats from the policy before to the policy after
    value: float  # root mean square of the change of the values

    @property
    def finite(self) -> bool:
        """Whether both are numbers."""
        return all(map(math.isfinite, self))


@torch.no_grad()
def limit_step(
    step: Tensor,
    parameters: Tensor,
    local: LocalParameters,
    rollout: Rollout,
    limits: StepLimitOptions,
) -> tuple[Tensor, PolicyChange]:
    """Try a step, and shorten it where it changes the policy or the values by more than the limits.

    Args:
        step: ``(P,)``, to be taken from ``parameters``.
        parameters: ``(P,)`` that played the rollout.
        local: The network that played it; left with the parameters that were tried.
        rollout: The states on which the change is measured.
        limits: Of both changes.

    Returns:
        The step within the limits, and what the whole step changes.
    """
    local.pull(parameters - step)
    change = change_since(rollout, local.network)
    scale = step_scale(change, limits)
    return step * scale if scale < 1 else step, change


def step_scale(change: PolicyChange, limits: StepLimitOptions) -> float:
    """Return the factor that brings a step within both limits, as far as the network is linear in it.

    The divergence of a policy grows with the square of a small step, values with the step itself.
    """
    scale = 1.0
    if limits.max_kl is not None and change.kl > limits.max_kl:
        scale = math.sqrt(limits.max_kl / change.kl)
    if limits.max_value_change is not None and change.value > limits.max_value_change:
        scale = min(scale, limits.max_value_change / change.value)
    return scale


@torch.no_grad()
def change_since(rollout: Rollout, network: ActorCritic) -> PolicyChange:
    """Return how far a network is from the one that played a rollout, in the mean of a sample of its states."""
    length, batch = rollout.actions.shape
    if network.memory:  # whole games, as what they remember changes, too
        games = sample_of(batch, max(GAMES, SAMPLE // length))
        logits, values = rollout.replay(network, games)
        logits_before, values_before = rollout.logits[:, games], rollout.values[:, games]
    else:
        steps = sample_of(len(rollout), SAMPLE)
        logits, values = network(rollout.observations.flatten(0, 1).index_select(0, steps))
        logits_before, values_before = rollout.logits.flatten(0, 1)[steps], rollout.values.flatten()[steps]
    before = logits_before.log_softmax(-1)
    kl = (before.exp() * (before - logits.log_softmax(-1))).sum(-1).mean()
    moved = (values - values_before).square().mean().sqrt()
    return PolicyChange(float(kl), float(moved))


def sample_of(number: int, most: int) -> Tensor:
    """Return the indices of up to ``most`` of a rollout's games, or of its states, game after game within each step.

    A whole number as distance would meet the same few games again and again.
    """
    return torch.linspace(0, number - 1, min(number, most)).long()
