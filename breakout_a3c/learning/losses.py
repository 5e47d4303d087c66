"""The terms of the actor-critic loss: pure functions (Mnih et al. 2016, section 4.2)."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from breakout_a3c.config import LossReduction, ValueLoss


def policy_loss(log_probs: Tensor, advantages: Tensor) -> Tensor:
    """Return ``-log pi(a|s) A`` per step; the advantage is a constant here.

    Args:
        log_probs: ``(N,)`` log-probability of each action taken.
        advantages: ``(N,)``.
    """
    return -log_probs * advantages.detach()


def value_loss(values: Tensor, returns: Tensor, kind: ValueLoss = "squared") -> Tensor:
    """Return ``(R - V(s))^2``, or its linear continuation beyond an error of 1, per step.

    The return is a constant here. ``smooth-l1`` is half the square up to there (Girshick 2015).

    Args:
        values: ``(N,)``.
        returns: ``(N,)``.
        kind: ``squared`` or ``smooth-l1``.
    """
    if kind == "smooth-l1":
        return functional.smooth_l1_loss(values, returns.detach(), reduction="none")
    return (returns.detach() - values).square()


def entropy(all_log_probs: Tensor) -> Tensor:
    """Return the entropy of each policy in nats, ``(N,)``, from log-probabilities ``(N, A)``."""
    return -(all_log_probs.exp() * all_log_probs).sum(dim=-1)


class Losses(NamedTuple):
    """Scalars of one update; ``total`` is what is differentiated, the rest are means per step."""

    total: Tensor
    policy: Tensor
    value: Tensor
    entropy: Tensor
    max_probability: Tensor  # of the likeliest action


def actor_critic_losses(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    advantages: Tensor,
    returns: Tensor,
    *,
    entropy_coef: float,
    value_coef: float,
    value_loss_kind: ValueLoss = "squared",
    reduction: LossReduction = "mean",
) -> Losses:
    """Combine policy gradient, value error and entropy bonus.

    Args:
        logits: ``(N, A)`` float32.
        values: ``(N,)`` float32.
        actions: ``(N,)`` int64.
        advantages: ``(N,)`` float32.
        returns: ``(N,)`` float32.
        entropy_coef: Weight of the entropy bonus.
        value_coef: Weight of the value loss.
        value_loss_kind: ``squared`` or ``smooth-l1``.
        reduction: ``mean`` or ``sum`` over the update's steps.
    """
    # Broadcasting (N,) against (N, 1) would train on N x N terms without a word.
    assert values.shape == actions.shape == advantages.shape == returns.shape == logits.shape[:1], (
        f"losses: values {values.shape}, actions {actions.shape}, advantages {advantages.shape}, "
        f"returns {returns.shape}, logits {logits.shape}"
    )
    all_log_probs = torch.log_softmax(logits, dim=-1)
    log_probs = all_log_probs.gather(1, actions.unsqueeze(1)).squeeze(1)
    policy = policy_loss(log_probs, advantages).mean()
    value = value_loss(values, returns, value_loss_kind).mean()
    bonus = entropy(all_log_probs).mean()
    total = policy + value_coef * value - entropy_coef * bonus
    if reduction == "sum":
        total = total * len(actions)
    max_probability = all_log_probs.detach().amax(dim=-1).exp().mean()
    return Losses(total, policy.detach(), value.detach(), bonus.detach(), max_probability)
