"""The terms of the loss: values and gradients by hand, and the three faults of benchmarks/learning/a2c_faults.py."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from breakout_a3c.learning.losses import Losses, actor_critic_losses, entropy, policy_loss, value_loss

# Three states with another policy and another action each; probabilities 1/4, 1/4, 1/2 and so on.
PROBABILITIES = torch.tensor([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25], [0.2, 0.7, 0.1]])
ACTIONS = torch.tensor([2, 0, 1])
ADVANTAGES = torch.tensor([1.0, -2.0, 3.0])
VALUES = torch.tensor([1.0, 2.0, 3.0])
RETURNS = torch.tensor([2.0, 0.0, 3.5])
N = len(ACTIONS)


def make_losses(
    logits: Tensor,
    values: Tensor = VALUES,
    advantages: Tensor = ADVANTAGES,
    returns: Tensor = RETURNS,
    **options: Any,
) -> Losses:
    options = {"entropy_coef": 0.0, "value_coef": 0.0} | options
    return actor_critic_losses(logits, values, ACTIONS, advantages, returns, **options)


def leaf(tensor: Tensor) -> Tensor:
    return tensor.clone().requires_grad_()


def test_values_by_hand() -> None:
    losses = make_losses(PROBABILITIES.log(), entropy_coef=0.1, value_coef=0.5)
    policy = -(1 * math.log(0.5) - 2 * math.log(0.5) + 3 * math.log(0.7)) / 3
    value = (1 + 4 + 0.25) / 3
    entropies = [-sum(p * math.log(p) for p in row) for row in ([0.25, 0.25, 0.5], [0.5, 0.25, 0.25], [0.2, 0.7, 0.1])]
    bonus = sum(entropies) / 3
    assert float(losses.policy) == pytest.approx(policy)
    assert float(losses.value) == pytest.approx(value)
    assert float(losses.entropy) == pytest.approx(bonus)
    assert float(losses.total) == pytest.approx(policy + 0.5 * value - 0.1 * bonus)


def test_terms_are_one_number_a_step() -> None:
    assert policy_loss(torch.tensor([-1.0, -2.0]), torch.tensor([3.0, -1.0])).tolist() == [3.0, -2.0]
    assert value_loss(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 4.0])).tolist() == [4.0, 1.0]
    assert entropy(torch.full((2, 4), 0.25).log()).tolist() == pytest.approx([math.log(4)] * 2)


def test_smooth_l1_is_half_the_square_and_then_a_line() -> None:
    values = leaf(torch.tensor([0.0, 0.0, 0.0]))
    errors = value_loss(values, torch.tensor([0.5, -1.0, 4.0]), "smooth-l1")
    torch.testing.assert_close(errors, torch.tensor([0.125, 0.5, 3.5]))
    errors.sum().backward()
    torch.testing.assert_close(values.grad, torch.tensor([-0.5, 1.0, -1.0]))


def test_the_chosen_value_loss_is_used() -> None:
    errors = RETURNS - VALUES
    smooth = [float(0.5 * e * e if abs(e) < 1 else abs(e) - 0.5) for e in errors]
    losses = make_losses(PROBABILITIES.log(), value_loss_kind="smooth-l1", value_coef=0.5)
    assert float(losses.value) == pytest.approx(sum(smooth) / 3)
    assert float(losses.total - losses.policy) == pytest.approx(0.5 * sum(smooth) / 3)


def test_the_largest_probability_is_a_mean_over_the_steps() -> None:
    assert float(make_losses(PROBABILITIES.log()).max_probability) == pytest.approx((0.5 + 0.5 + 0.7) / 3)


def test_policy_gradient_by_hand() -> None:
    logits = leaf(PROBABILITIES.log())
    make_losses(logits).total.backward()
    one_hot = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(logits.grad, (PROBABILITIES - one_hot) * ADVANTAGES.unsqueeze(1) / N)


def test_entropy_gradient_by_hand() -> None:
    logits = leaf(PROBABILITIES.log())
    make_losses(logits, advantages=torch.zeros(N), entropy_coef=0.3).total.backward()
    log_probs = PROBABILITIES.log()
    entropies = -(PROBABILITIES * log_probs).sum(1, keepdim=True)
    # dH / dlogit_j = -p_j (log p_j + H), and the loss has -coef H.
    torch.testing.assert_close(logits.grad, 0.3 * PROBABILITIES * (log_probs + entropies) / N)


def test_value_gradient_by_hand() -> None:
    values = leaf(VALUES)
    make_losses(PROBABILITIES.log(), values, value_coef=0.25).total.backward()
    torch.testing.assert_close(values.grad, -2 * (RETURNS - VALUES) * 0.25 / N)


def test_advantages_and_returns_are_constants() -> None:
    """Otherwise the actor's loss would train the critic, and the critic would chase its own target."""
    logits, values = leaf(PROBABILITIES.log()), leaf(VALUES)
    advantages, returns = leaf(RETURNS) - values, values + 1.0
    make_losses(logits, values, advantages, returns, value_coef=0.0).total.backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() > 0.1
    torch.testing.assert_close(values.grad, torch.zeros(N))
    values.grad = None
    make_losses(logits, values, advantages, returns, value_coef=1.0).total.backward()
    torch.testing.assert_close(values.grad, torch.full((N,), -2.0 / N))


def test_what_is_reported_holds_no_graph() -> None:
    losses = make_losses(leaf(PROBABILITIES.log()), leaf(VALUES), entropy_coef=0.1)
    assert losses.total.requires_grad
    assert not any(term.requires_grad for term in (losses.policy, losses.value, losses.entropy))


def test_the_sum_is_n_means_in_value_and_gradient() -> None:
    totals, gradients = [], []
    for reduction in ("mean", "sum"):
        logits, values = leaf(PROBABILITIES.log()), leaf(VALUES)
        losses = make_losses(logits, values, entropy_coef=0.1, value_coef=0.5, reduction=reduction)
        losses.total.backward()
        totals.append(losses.total.detach())
        gradients.append(torch.cat((logits.grad.flatten(), values.grad)))
        assert float(losses.value) == pytest.approx(1.75), "what is reported stays a mean per step"
    torch.testing.assert_close(totals[1], N * totals[0])
    torch.testing.assert_close(gradients[1], N * gradients[0])


def slow_losses(
    logits: NDArray[np.float64], options: dict[str, Any]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return the loss of Mnih et al. 2016, algorithm S3, and its gradients by logits and values, step by step.

    ``-log pi(a_i | s_i) (R - V) - beta H(pi(s_i)) + c (R - V)^2``, where ``d log pi(a) / d logit_j = [a = j] - pi_j``
    and ``d H / d logit_j = -pi_j (log pi_j + H)``.
    """
    loss, by_logits, by_values = 0.0, np.zeros((N, 3)), np.zeros(N)
    beta, c = options["entropy_coef"], options["value_coef"]
    for i in range(N):
        pi = np.exp(logits[i]) / np.exp(logits[i]).sum()
        a, A, V, R = int(ACTIONS[i]), float(ADVANTAGES[i]), float(VALUES[i]), float(RETURNS[i])
        H = -sum(pi[j] * math.log(pi[j]) for j in range(3))
        error, slope = (R - V) ** 2, -2 * (R - V)
        if options["value_loss_kind"] == "smooth-l1":
            small = abs(R - V) < 1
            error = 0.5 * (R - V) ** 2 if small else abs(R - V) - 0.5
            slope = -(R - V) if small else -math.copysign(1, R - V)
        loss += -math.log(pi[a]) * A - beta * H + c * error
        for j in range(3):
            by_logits[i, j] = -((a == j) - pi[j]) * A + beta * pi[j] * (math.log(pi[j]) + H)
        by_values[i] = c * slope
    steps = N if options["reduction"] == "mean" else 1
    return loss / steps, by_logits / steps, by_values / steps


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", ["squared", "smooth-l1"])
@pytest.mark.parametrize(("entropy_coef", "value_coef"), [(0.01, 0.5), (0.3, 5.0)])
def test_loss_and_gradients_are_those_of_the_slow_version(
    reduction: str, kind: str, entropy_coef: float, value_coef: float
) -> None:
    options = {"entropy_coef": entropy_coef, "value_coef": value_coef}
    options |= {"value_loss_kind": kind, "reduction": reduction}
    logits, values = leaf(PROBABILITIES.log() + 0.7), leaf(VALUES)  # logits are no log-probabilities
    total = make_losses(logits, values, **options).total
    total.backward()
    loss, by_logits, by_values = slow_losses(logits.detach().numpy().astype(np.float64), options)
    assert total.item() == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(logits.grad, torch.tensor(by_logits, dtype=torch.float32))
    torch.testing.assert_close(values.grad, torch.tensor(by_values, dtype=torch.float32))


@pytest.mark.parametrize("wrong", ["values", "advantages", "returns"])
def test_a_column_against_a_row_is_refused(wrong: str) -> None:
    """Fault 2: ``(N, 1)`` against ``(N,)`` broadcasts to N x N advantages."""
    arguments = {"values": VALUES, "advantages": ADVANTAGES, "returns": RETURNS}
    arguments[wrong] = arguments[wrong].unsqueeze(1)
    with pytest.raises(AssertionError, match=wrong):
        make_losses(PROBABILITIES.log(), **arguments)


def test_another_number_of_states_is_refused() -> None:
    with pytest.raises(AssertionError, match="logits"):
        make_losses(PROBABILITIES[:2].log())


def test_each_state_has_the_log_probability_of_its_own_action() -> None:
    """Fault 1: indexing with all actions gives every state's of every action."""
    logits = PROBABILITIES.log()
    everything = -(logits[:, ACTIONS] * ADVANTAGES).mean()
    losses = [
        actor_critic_losses(
            logits[i : i + 1], VALUES[i : i + 1], ACTIONS[i : i + 1], ADVANTAGES[i : i + 1], RETURNS[i : i + 1],
            entropy_coef=0.0, value_coef=0.0,
        ).policy
        for i in range(N)
    ]  # fmt: skip
    together = make_losses(logits).policy
    torch.testing.assert_close(together, torch.stack(losses).mean())
    assert abs(float(together - everything)) > 0.1


def test_entropy_is_greatest_for_the_uniform_policy() -> None:
    generator = torch.Generator().manual_seed(0)
    policies = torch.log_softmax(torch.randn(100, 3, generator=generator), dim=-1)
    assert float(entropy(torch.full((1, 3), 1 / 3).log())) == pytest.approx(math.log(3))
    assert bool((entropy(policies) < math.log(3)).all())
    assert bool((entropy(policies) > 0).all())


def test_entropy_of_a_certain_policy_is_zero_and_finite() -> None:
    logits = leaf(torch.tensor([[0.0, -300.0, 300.0]]))
    result = entropy(torch.log_softmax(logits, dim=-1))
    result.sum().backward()
    assert float(result.detach()) == 0.0
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_a_step_down_the_loss_raises_entropy() -> None:
    """Fault 3: with the sign the other way the policy ends with one action."""
    logits = leaf(PROBABILITIES.log())
    losses = make_losses(logits, advantages=torch.zeros(N), returns=VALUES, entropy_coef=0.01, value_coef=0.5)
    losses.total.backward()
    after = make_losses((logits - 1.0 * logits.grad).detach())
    assert float(after.entropy) > float(losses.entropy)
