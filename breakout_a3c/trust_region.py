"""How far one update may move the policy.

Where the loss is steep, a step of the usual size can change the policy beyond recognition, and all that was learned is
lost within seconds. The divergence grows with the square of the step, so that a step which goes too far is made as
long as is trusted (Schulman et al. 2015, "Trust region policy optimization"; Wu et al. 2017, "ACKTR", section 3.3, by
a quadratic model of the divergence, where this measures it).
"""

import math

import torch

from breakout_a3c.networks import ActorCritic
from breakout_a3c.rollout import Rollout

SAMPLE = 32  # states: a forward pass of them takes 1 to 4% of a rollout's time


@torch.no_grad()
def policy_divergence(network: ActorCritic, rollout: Rollout) -> float:
    """Return the Kullback-Leibler divergence, in nats, of ``network``'s policy from the one that played a rollout.

    Args:
        network: With the parameters that are to be judged.
        rollout: A sample of its states, evenly spaced, is what the mean is over.
    """
    every = math.ceil(len(rollout) / SAMPLE)
    observations, logits = rollout.observations.flatten(0, 1)[::every], rollout.logits.flatten(0, 1)[::every]
    before, after = logits.log_softmax(-1), network(observations)[0].log_softmax(-1)
    return float((before.exp() * (before - after)).sum(-1).mean())


def trusted_share(kl: float, max_kl: float) -> float:
    """Return what share of a step that changes the policy by ``kl`` nats changes it by no more than ``max_kl``.

    Of one that leaves no policy at all (nan), that is nothing.
    """
    if math.isnan(kl):
        return 0.0
    return math.sqrt(max_kl / kl) if kl > max_kl else 1.0
