"""RMSprop and Adam by hand: two updates, shared averages, and going on from a checkpoint."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from breakout_a3c.config import OptimizerOptions
from breakout_a3c.learning.optimizer import SharedOptimizer, make_optimizer

FIRST, SECOND, NONE = [0.3, -4.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 0.0]
ALPHA, EPS, BETA = 0.9, 0.01, 0.8
Array = NDArray[np.float64]


def make(**options: Any) -> SharedOptimizer:
    settings: dict[str, Any] = {"method": "rmsprop", "square_decay": ALPHA, "eps": EPS, "eps_inside_root": False}
    return SharedOptimizer(3, **(settings | {"beta1": BETA} | options))


def steps_of(optimizer: SharedOptimizer, *gradients: list[float]) -> list[Tensor]:
    """Return the steps of consecutive updates."""
    return [optimizer.step_for(torch.tensor(gradient), updates=n) for n, gradient in enumerate(gradients)]


def rmsprop(gradients: list[list[float]], inside_root: bool) -> tuple[Array, Array]:
    """Return the last step for eta = 1 and g: equations S2 and S3 of Mnih et al. 2016, or with a corrected g."""
    g = np.zeros(3)
    for n, d_theta in enumerate(map(np.array, gradients), start=1):
        g = ALPHA * g + (1 - ALPHA) * d_theta**2
        step = d_theta / np.sqrt(g + EPS) if inside_root else d_theta / (np.sqrt(g / (1 - ALPHA**n)) + EPS)
    return step, g


def adam(gradients: list[list[float]]) -> tuple[Array, Array, Array]:
    """Return the last step for alpha = 1, and m and v: algorithm 1 of Kingma and Ba 2015."""
    m, v = np.zeros(3), np.zeros(3)
    for t, g in enumerate(map(np.array, gradients), start=1):
        m = BETA * m + (1 - BETA) * g
        v = ALPHA * v + (1 - ALPHA) * g**2
        m_hat, v_hat = m / (1 - BETA**t), v / (1 - ALPHA**t)
        step = m_hat / (np.sqrt(v_hat) + EPS)
    return step, m, v


def assert_near(found: Tensor, expected: Array | list[float]) -> None:
    torch.testing.assert_close(found, torch.tensor(np.asarray(expected), dtype=torch.float32))


@pytest.mark.parametrize("inside_root", [False, True])
@pytest.mark.parametrize("second", [SECOND, NONE], ids=["another gradient", "no gradient"])
def test_two_steps_of_rmsprop(inside_root: bool, second: list[float]) -> None:
    """A first gradient that is left in the second update is the bug of the public A3Cs."""
    optimizer = make(eps_inside_root=inside_root)
    for step, n in zip(steps_of(optimizer, FIRST, second), (1, 2), strict=True):
        assert_near(step, rmsprop([FIRST, second][:n], inside_root)[0])
    assert_near(optimizer.square_average, rmsprop([FIRST, second], inside_root)[1])


def test_two_steps_of_rmsprop_as_numbers() -> None:
    """Of one parameter, with gradients 2 and 1: the mean square is 0.4, then 0.46."""
    inside, outside = make(eps_inside_root=True), make()
    two = [[2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    assert [float(step[0]) for step in steps_of(inside, *two)] == pytest.approx(
        [2 / math.sqrt(0.41), 1 / math.sqrt(0.47)]
    )
    # Corrected by 1 - 0.9 = 0.1 and 1 - 0.81 = 0.19.
    assert [float(step[0]) for step in steps_of(outside, *two)] == pytest.approx(
        [2 / (2 + 0.01), 1 / (math.sqrt(0.46 / 0.19) + 0.01)]
    )
    assert float(inside.square_average[0]) == float(outside.square_average[0]) == pytest.approx(0.46)


def test_two_steps_of_adam_and_one_without_a_gradient() -> None:
    gradients = [FIRST, SECOND, NONE]
    optimizer = make(method="adam")
    for n, gradient in enumerate(gradients):
        step = optimizer.step_for(torch.tensor(gradient), updates=n)
        expected, m, v = adam(gradients[: n + 1])
        assert_near(step, expected)
        assert_near(optimizer.gradient_average, m)
        assert_near(optimizer.square_average, v)


def test_two_steps_of_adam_as_numbers() -> None:
    """Of one parameter, with gradients 2 and 1: the mean is 0.4, then 0.52; corrected 2, then 0.52 / 0.36."""
    steps = steps_of(make(method="adam"), [2.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    assert [float(step[0]) for step in steps] == pytest.approx(
        [2 / (2 + 0.01), (0.52 / 0.36) / (math.sqrt(0.46 / 0.19) + 0.01)]
    )


def test_the_first_step_is_no_longer_than_the_learning_rate() -> None:
    """Uncorrected, the mean square of the start would make it 1 / sqrt(1 - alpha) times as long."""
    optimizer = make(square_decay=0.99, eps=1e-8)
    (step,) = steps_of(optimizer, [1e-3, -1.0, 100.0])
    assert_near(step, [1.0, -1.0, 1.0])


def test_late_updates_are_not_corrected() -> None:
    """After a resume at many updates the mean square is taken as it is."""
    optimizer = make()
    optimizer.restore(torch.full((3,), 4.0), torch.zeros(0))
    step = optimizer.step_for(torch.full((3,), 2.0), updates=10**6)
    assert_near(step, [2 / (2 + 0.01)] * 3)


def test_a_gradient_is_left_alone() -> None:
    for optimizer in (make(), make(eps_inside_root=True), make(method="adam")):
        gradient = torch.tensor(FIRST)
        optimizer.step_for(gradient, updates=0)
        assert torch.equal(gradient, torch.tensor(FIRST))


def test_a_step_is_not_the_memory_of_an_average() -> None:
    """The step is multiplied in place by the learning rate."""
    optimizer = make(method="adam")
    optimizer.step_for(torch.tensor(FIRST), updates=0).zero_()
    assert_near(optimizer.gradient_average, adam([FIRST])[1])
    assert_near(optimizer.square_average, adam([FIRST])[2])


@pytest.mark.parametrize(("method", "size"), [("rmsprop", 0), ("adam", 3)])
def test_the_averages_are_shared_for_good(method: str, size: int) -> None:
    optimizer = make(method=method)
    averages = (optimizer.square_average, optimizer.gradient_average)
    assert [len(average) for average in averages] == [3, size]
    memory = [average.data_ptr() for average in averages]
    optimizer.restore(torch.ones(3), torch.ones(size))
    steps_of(optimizer, FIRST, SECOND)
    assert [average.data_ptr() for average in (optimizer.square_average, optimizer.gradient_average)] == memory
    assert optimizer.square_average.is_shared()
    assert optimizer.gradient_average.is_shared()


@pytest.mark.parametrize("options", [{}, {"eps_inside_root": True}, {"method": "adam"}], ids=str)
def test_restored_averages_go_on_as_if_nothing_had_been(options: dict[str, Any]) -> None:
    whole, first, second = make(**options), make(**options), make(**options)
    steps_of(whole, FIRST)
    steps_of(first, FIRST)
    second.restore(first.square_average, first.gradient_average)
    expected = whole.step_for(torch.tensor(SECOND), updates=1)
    assert torch.equal(second.step_for(torch.tensor(SECOND), updates=1), expected)


@pytest.mark.parametrize(("saved", "expected"), [([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]), ([], NONE)])
def test_adams_mean_gradient_is_restored_or_begins_anew(saved: list[float], expected: list[float]) -> None:
    optimizer = make(method="adam")
    optimizer.restore(torch.ones(3), torch.tensor(saved))
    assert_near(optimizer.gradient_average, expected)
    assert_near(optimizer.square_average, [1.0, 1.0, 1.0])


def test_rmsprop_has_no_use_for_adams_mean_gradient() -> None:
    optimizer = make()
    optimizer.restore(torch.ones(3), torch.ones(3))
    assert optimizer.gradient_average.shape == (0,)
    assert_near(optimizer.square_average, [1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, {}),
        ({"rmsprop_eps_inside_root": True}, {"eps_inside_root": True}),
        ({"name": "adam", "adam_beta1": BETA}, {"method": "adam"}),
    ],
    ids=["rmsprop", "eps inside the root", "adam"],
)
def test_the_settings_say_which_optimizer_it_is(options: dict[str, Any], arguments: dict[str, Any]) -> None:
    made = make_optimizer(3, OptimizerOptions(square_decay=ALPHA, eps=EPS, **options))
    for step, expected in zip(steps_of(made, FIRST, SECOND), steps_of(make(**arguments), FIRST, SECOND), strict=True):
        assert torch.equal(step, expected)
