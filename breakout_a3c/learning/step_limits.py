"""How far one update may move the policy and the value function.

Where the loss is steep, a step of the usual size can change the policy beyond recognition, and all that was learned is
lost within seconds; or it throws the values so far that nothing is left alive below them. A step which goes too far is
shortened (Schulman et al. 2015, "Trust region policy optimization"; Wu et al. 2017, "ACKTR", sections 3.1 and 3.3, by a
quadratic model of both changes, where this measures them).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.learning.rollout import Rollout

SAMPLE = 32  # states: a forward pass of them takes 1 to 4% of a rollout's time


class Change(NamedTuple):
    """By how much a step changes what a network says: nan or infinite for one that leaves nothing of it."""

    kl: float = 0.0  # nats from the policy before to the policy after
    value: float = 0.0  # root mean square of what the values move by

    @property
    def finite(self) -> bool:
        """Whether both are numbers."""
        return all(map(math.isfinite, self))


@torch.no_grad()
def trusted_step(
    step: Tensor,
    parameters: Tensor,
    network: ActorCritic,
    local: LocalParameters,
    rollout: Rollout,
    config: TrainConfig,
) -> tuple[Tensor, Change]:
    """Try a step, and shorten it where it changes the policy or the values by more than the settings allow.

    Args:
        step: ``(P,)``, to be taken from ``parameters``.
        parameters: ``(P,)`` that played the rollout.
        network: Its policy and values; left with the parameters that were tried.
        local: The parameters of ``network``.
        rollout: By whose states they are judged.
        config: The limits.

    Returns:
        The step that is trusted, and what the whole one changes.
    """
    local.pull(parameters - step)
    change = change_since(rollout, network)
    share = trusted_share(change, config)
    return step * share if share < 1 else step, change


def trusted_share(change: Change, config: TrainConfig) -> float:
    """Return the part of a step that stays within both limits, as far as the network is linear in it.

    The divergence of a policy grows with the square of a small step, values with the step itself.
    """
    share = 1.0
    if config.max_kl is not None and change.kl > config.max_kl:
        share = math.sqrt(config.max_kl / change.kl)
    if config.max_value_change is not None and change.value > config.max_value_change:
        share = min(share, config.max_value_change / change.value)
    return share


@torch.no_grad()
def change_since(rollout: Rollout, network: ActorCritic) -> Change:
    """Return how far a network is from the one that played a rollout, in the mean of a sample of its states."""
    chosen = sample_of(len(rollout))
    before = rollout.logits.flatten(0, 1)[chosen].log_softmax(-1)
    logits, values = network(rollout.observations.flatten(0, 1)[chosen])
    kl = (before.exp() * (before - logits.log_softmax(-1))).sum(-1).mean()
    moved = (values - rollout.values.flatten()[chosen]).square().mean().sqrt()
    return Change(float(kl), float(moved))


def sample_of(steps: int) -> Tensor:
    """Return the indices of up to SAMPLE states of a rollout, whose games follow each other within each step.

    A whole number as distance would meet the same few games again and again.
    """
    return torch.linspace(0, steps - 1, min(steps, SAMPLE)).long()
