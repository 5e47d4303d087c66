"""How far one update may move the policy.

Where the loss is steep, a step of the usual size can change the policy beyond recognition, and all that was learned is
lost within seconds. The divergence grows with the square of a small step: one which goes too far is shortened by
the root of what is too much (Schulman et al. 2015, "Trust region policy optimization"; Wu et al. 2017, "ACKTR", section
3.3, by a quadratic model of the divergence, where this measures it).
"""

import math

import torch
from torch import Tensor

from breakout_a3c.networks import ActorCritic
from breakout_a3c.rollout import Rollout
from breakout_a3c.shared import LocalParameters

SAMPLE = 32  # states: a forward pass of them takes 1 to 4% of a rollout's time


@torch.no_grad()
def trusted_step(
    step: Tensor, parameters: Tensor, network: ActorCritic, local: LocalParameters, rollout: Rollout, max_kl: float
) -> tuple[Tensor, float]:
    """Try a step, and shorten it where it changes the policy by more than ``max_kl``.

    What is left changes it by about ``max_kl``, as far as the divergence grows with the square.

    Args:
        step: ``(P,)``, to be taken from ``parameters``.
        parameters: ``(P,)`` that played the rollout.
        network: Its policy; left with the parameters that were tried.
        local: The parameters of ``network``.
        rollout: Whose states the policy is judged by.
        max_kl: Nats.

    Returns:
        The step that is trusted, and by how many nats the whole one changes the policy: nan or infinite for one that
        leaves no policy.
    """
    local.pull(parameters - step)
    kl = policy_divergence(network, rollout)
    return step * math.sqrt(max_kl / kl) if kl > max_kl else step, kl


@torch.no_grad()
def policy_divergence(network: ActorCritic, rollout: Rollout) -> float:
    """Return the Kullback-Leibler divergence, in nats, of ``network``'s policy from the one that played a rollout.

    Args:
        network: With the parameters that are to be judged.
        rollout: The mean is over a sample of its states, evenly spaced over steps and games.
    """
    chosen = sample_of(len(rollout))
    before = rollout.logits.flatten(0, 1)[chosen].log_softmax(-1)
    after = network(rollout.observations.flatten(0, 1)[chosen])[0].log_softmax(-1)
    return float((before.exp() * (before - after)).sum(-1).mean())


def sample_of(steps: int) -> Tensor:
    """Return the indices of up to SAMPLE states of a rollout, whose games follow each other within each step.

    A whole number as distance would meet the same few games again and again.
    """
    return torch.linspace(0, steps - 1, min(steps, SAMPLE)).long()
