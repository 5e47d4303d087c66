"""Advantages against slow versions in the papers' notation, and in closed form."""

import pytest
import torch
from torch import Tensor

from breakout_a3c.learning.advantages import generalised_advantages

GAMMA = 0.9
STEPS, GAMES = 7, 3


def make_rollout(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return rewards, values, next values and ends: one game runs on, one dies, one is truncated."""
    generator = torch.Generator().manual_seed(seed)
    rewards = torch.randn(STEPS, GAMES, generator=generator)
    values = torch.randn(STEPS + 1, GAMES, generator=generator)
    ended = torch.zeros(STEPS, GAMES, dtype=torch.bool)
    next_values = values[1:].clone()
    ended[3, 1], next_values[3, 1] = True, 0.0  # a terminal state has no value
    ended[4, 2], next_values[4, 2] = True, 1.7  # the value of the game's own last state
    return rewards, values[:-1], next_values, ended


def n_step_returns(rewards: list[float], next_values: list[float], ended: list[bool]) -> list[float]:
    """Return algorithm S3 of Mnih et al. 2016: ``R <- r_i + gamma R`` backwards from the bootstrap."""
    R = next_values[-1]
    returns = []
    for i in reversed(range(len(rewards))):
        if ended[i]:
            R = next_values[i]
        R = rewards[i] + GAMMA * R
        returns.append(R)
    return returns[::-1]


def sum_of_deltas(deltas: list[float], ended: list[bool], gae_lambda: float) -> list[float]:
    """Return equation 16 of Schulman et al. 2016: the sum of ``(gamma lambda)^l delta_{t+l}``."""
    advantages = []
    for t in range(len(deltas)):
        last = next((i for i in range(t, len(deltas)) if ended[i]), len(deltas) - 1)
        advantages.append(sum((GAMMA * gae_lambda) ** (i - t) * deltas[i] for i in range(t, last + 1)))
    return advantages


@pytest.mark.parametrize("seed", range(3))
def test_lambda_1_is_the_papers_n_step_return(seed: int) -> None:
    rewards, values, next_values, ended = make_rollout(seed)
    returns = generalised_advantages(rewards, values, next_values, ended, GAMMA, 1.0) + values
    for game in range(GAMES):
        expected = n_step_returns(rewards[:, game].tolist(), next_values[:, game].tolist(), ended[:, game].tolist())
        torch.testing.assert_close(returns[:, game], torch.tensor(expected))


@pytest.mark.parametrize("gae_lambda", [0.0, 0.5, 0.95, 1.0])
def test_any_lambda_is_the_double_sum_of_deltas(gae_lambda: float) -> None:
    rewards, values, next_values, ended = make_rollout(7)
    advantages = generalised_advantages(rewards, values, next_values, ended, GAMMA, gae_lambda)
    deltas = rewards + GAMMA * next_values - values
    for game in range(GAMES):
        expected = sum_of_deltas(deltas[:, game].tolist(), ended[:, game].tolist(), gae_lambda)
        torch.testing.assert_close(advantages[:, game], torch.tensor(expected))


def test_lambda_0_is_one_step() -> None:
    rewards, values, next_values, ended = make_rollout(1)
    advantages = generalised_advantages(rewards, values, next_values, ended, GAMMA, 0.0)
    torch.testing.assert_close(advantages + values, rewards + GAMMA * next_values)


def test_by_hand_with_a_terminal_in_the_middle() -> None:
    rewards = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    values = torch.tensor([[10.0], [20.0], [30.0], [40.0]])
    next_values = torch.tensor([[20.0], [0.0], [40.0], [50.0]])
    ended = torch.tensor([[False], [True], [False], [False]])
    advantages = generalised_advantages(rewards, values, next_values, ended, 0.5, 1.0)
    # Returns: 4 + .5 * 50 = 29; 3 + .5 * 29 = 17.5; 2 alone; 1 + .5 * 2 = 2.
    torch.testing.assert_close(advantages + values, torch.tensor([[2.0], [2.0], [17.5], [29.0]]))


def test_nothing_after_an_end_reaches_what_was_before_it() -> None:
    rewards, values, next_values, ended = make_rollout(2)
    before = generalised_advantages(rewards, values, next_values, ended, GAMMA, 0.95)
    rewards[4:, 1] += 100.0
    after = generalised_advantages(rewards, values, next_values, ended, GAMMA, 0.95)
    assert torch.equal(after[:4, 1], before[:4, 1])
    assert (after[4:, 1] > before[4:, 1] + 99).all()


@pytest.mark.parametrize("gae_lambda", [0.0, 0.95, 1.0])
@pytest.mark.parametrize("terminated", [False, True], ids=["truncated", "terminated"])
def test_truncation_is_not_termination(gae_lambda: float, terminated: bool) -> None:
    """A reward of 1 for ever is worth V = 1 / (1 - gamma), and V is right where the game is only truncated."""
    value = 1 / (1 - GAMMA)
    values = torch.full((STEPS, 1), value)
    next_values = values.clone()
    ended = torch.zeros(STEPS, 1, dtype=torch.bool)
    ended[-1] = True
    if terminated:
        next_values[-1] = 0.0
    advantages = generalised_advantages(torch.ones(STEPS, 1), values, next_values, ended, GAMMA, gae_lambda)
    # Only the missing gamma V of the last step is felt, and less the further away it is.
    missing = GAMMA * value if terminated else 0.0
    expected = [-missing * (GAMMA * gae_lambda) ** (STEPS - 1 - t) for t in range(STEPS)]
    torch.testing.assert_close(advantages[:, 0], torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_arguments_are_left_alone() -> None:
    arguments = make_rollout(3)
    copies = [tensor.clone() for tensor in arguments]
    generalised_advantages(*arguments, GAMMA, 0.95)
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(arguments, copies, strict=True))
