"""Advantages and returns: pure functions (Mnih et al. 2016, algorithm S3; Schulman et al. 2016)."""

import torch
from torch import Tensor


def generalised_advantages(
    rewards: Tensor, values: Tensor, next_values: Tensor, ended: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """Estimate how much better each action was than the policy's average.

    ``delta_t = r_t + gamma V(s_{t+1}) - V(s_t)`` and ``A_t = delta_t + gamma lambda A_{t+1}`` up to
    where a game ends. With lambda 1, ``A_t + V(s_t)`` is the paper's n-step return that is
    bootstrapped with the last value. A terminal state has no value, a truncated game's last state
    has: truncation is not termination.

    Args:
        rewards: ``(T, B)`` reward of each step.
        values: ``(T, B)`` value of the state that was acted in.
        next_values: ``(T, B)`` value of the state that followed: 0 after a terminal step, that of
            the game's own last state (not of the next game's first) after a truncated one.
        ended: ``(T, B)`` bool, true where the next row belongs to another game.
        gamma: Discount per step.
        gae_lambda: 1 for n-step returns, 0 for one-step targets.

    Returns:
        ``(T, B)`` advantages; the returns are ``advantages + values``.
    """
    deltas = rewards + gamma * next_values - values
    decay = (gamma * gae_lambda) * ~ended
    advantages = torch.empty_like(rewards)
    following = torch.zeros_like(rewards[0])
    for t in range(len(rewards) - 1, -1, -1):
        following = torch.addcmul(deltas[t], decay[t], following, out=advantages[t])
    return advantages
