"""Shared parameters: RMSprop by hand, flat vectors as views, clipping, counters and the clock."""

import copy
import math
import time
from typing import Any

import pytest
import torch
from torch import Tensor

from breakout_a3c.config import Network
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic, ConvTrunk
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import PRESETS

CONFIG = PRESETS["cartpole"].replace(threads=3, square_decay=0.9, optimizer_eps=0.01)
NOTHING = torch.zeros(0)
START, FIRST, SECOND = [1.0, -2.0, 0.5], [0.3, -4.0, 0.0], [0.0, 2.0, 1.0]
LEARNING_RATE = 0.05


def make_network(network: Network = "paper") -> ActorCritic:
    torch.manual_seed(0)
    return ActorCritic(network, (4,) if network == "mlp" else (84, 84, 4), 3)


def make_observations(network: Network, batch: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    if network == "mlp":
        return torch.randn(batch, 4, generator=generator)
    return torch.randint(0, 256, (batch, 84, 84, 4), dtype=torch.uint8, generator=generator)


def differentiate(network: ActorCritic, observations: Tensor, weight: float = 1.0) -> None:
    logits, values = network(observations)
    (weight * (logits.square().sum() + values.square().sum())).backward()


def update(shared: SharedParameters, gradient: Tensor) -> None:
    shared.push(LEARNING_RATE * shared.direction(gradient))


def rmsprop_by_hand(gradients: list[list[float]], inside_root: bool) -> tuple[list[float], list[float]]:
    """Return parameters and mean squares after these gradients, in plain Python."""
    theta, g = list(START), [0.0] * 3
    for n, gradient in enumerate(gradients, start=1):
        for i, d in enumerate(gradient):
            g[i] = 0.9 * g[i] + 0.1 * d * d
            root = math.sqrt(g[i] + 0.01) if inside_root else math.sqrt(g[i] / (1 - 0.9**n)) + 0.01
            theta[i] -= LEARNING_RATE * d / root
    return theta, g


def adam_by_hand(gradients: list[list[float]]) -> tuple[list[float], list[float], list[float]]:
    """Kingma and Ba 2015, algorithm 1, in plain Python; also both of its averages."""
    theta, m, v = list(START), [0.0] * 3, [0.0] * 3
    for n, gradient in enumerate(gradients, start=1):
        for i, d in enumerate(gradient):
            m[i] = 0.8 * m[i] + 0.2 * d
            v[i] = 0.9 * v[i] + 0.1 * d * d
            theta[i] -= LEARNING_RATE * (m[i] / (1 - 0.8**n)) / (math.sqrt(v[i] / (1 - 0.9**n)) + 0.01)
    return theta, m, v


def test_three_updates_of_adam_by_hand() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG.replace(optimizer="adam", adam_beta1=0.8))
    gradients: list[list[float]] = []
    for gradient in (FIRST, SECOND, [0.0, 0.0, 0.0]):
        gradients.append(gradient)
        update(shared, torch.tensor(gradient))
        shared.count(0, steps=5, updated=True, games=0)
        theta, m, v = adam_by_hand(gradients)
        torch.testing.assert_close(shared.parameters, torch.tensor(theta))
        torch.testing.assert_close(shared.optimizer.gradient_average, torch.tensor(m))
        torch.testing.assert_close(shared.optimizer.square_average, torch.tensor(v))


@pytest.mark.parametrize(("saved", "expected"), [([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]), ([], [0.0, 0.0, 0.0])])
def test_adams_mean_gradient_is_restored_or_begins_anew(saved: list[float], expected: list[float]) -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG.replace(optimizer="adam"))
    shared.restore((torch.ones(3), torch.tensor(saved)), (10, 2, 1), minutes=0.0)
    torch.testing.assert_close(shared.optimizer.gradient_average, torch.tensor(expected))


@pytest.mark.parametrize("inside_root", [False, True])
@pytest.mark.parametrize("second", [SECOND, [0.0, 0.0, 0.0]], ids=["another gradient", "no gradient"])
def test_two_updates_by_hand(inside_root: bool, second: list[float]) -> None:
    """A first gradient that is left in the second update is the bug of the public A3Cs."""
    shared = SharedParameters(torch.tensor(START), CONFIG.replace(rmsprop_eps_inside_root=inside_root))
    gradients: list[list[float]] = []
    for gradient in (FIRST, second):
        gradients.append(gradient)
        update(shared, torch.tensor(gradient))
        shared.count(len(gradients) - 1, steps=5, updated=True, games=0)
        theta, g = rmsprop_by_hand(gradients, inside_root)
        torch.testing.assert_close(shared.parameters, torch.tensor(theta))
        torch.testing.assert_close(shared.optimizer.square_average, torch.tensor(g))


def test_the_first_step_is_no_longer_than_the_learning_rate() -> None:
    """Uncorrected, the mean square of the start would make it 1 / sqrt(1 - alpha) times as long."""
    shared = SharedParameters(torch.tensor(START), CONFIG.replace(square_decay=0.99, optimizer_eps=1e-8))
    update(shared, torch.tensor([1e-3, -1.0, 100.0]))
    expected = torch.tensor(START) - LEARNING_RATE * torch.tensor([1.0, -1.0, 1.0])
    torch.testing.assert_close(shared.parameters, expected)


def test_late_updates_are_not_corrected() -> None:
    """After a resume at many updates the mean square is taken as it is."""
    shared = SharedParameters(torch.tensor(START), CONFIG)
    shared.restore((torch.full((3,), 4.0), NOTHING), (10**7, 10**6, 0), minutes=0.0)
    update(shared, torch.tensor([2.0, 2.0, 2.0]))
    torch.testing.assert_close(shared.parameters, torch.tensor(START) - LEARNING_RATE * 2 / (2 + 0.01))


def taken(local: LocalParameters, max_norm: float) -> tuple[torch.Tensor, float]:
    local.add_gradient()
    return local.take_gradient(max_norm)


def test_an_update_leaves_the_gradient_alone() -> None:
    shared, gradient = SharedParameters(torch.tensor(START), CONFIG), torch.tensor(FIRST)
    update(shared, gradient)
    assert gradient.tolist() == torch.tensor(FIRST).tolist()


def test_the_second_update_uses_the_second_gradient_only() -> None:
    """From the network's backward to the push: what is taken is gone."""
    network, observations = make_network("mlp"), make_observations("mlp")
    local = LocalParameters(network)
    differentiate(network, observations)
    first = taken(local, math.inf)[0].clone()
    with pytest.raises(AssertionError, match="after backward"):
        local.add_gradient()
    with pytest.raises(AssertionError, match="after add_gradient"):
        local.take_gradient(math.inf)
    differentiate(network, observations, weight=3.0)
    second, norm = taken(local, math.inf)
    torch.testing.assert_close(second, 3 * first)
    assert norm == pytest.approx(3 * float(first.norm()), rel=1e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_parts_of_a_gradient_add_up_in_float32(precision: torch.dtype) -> None:
    network, observations = make_network("paper"), make_observations("paper")
    local = LocalParameters(network, precision)
    differentiate(network, observations)
    whole = taken(local, math.inf)[0].clone()
    for _ in range(300):  # bf16 could not count further than 256
        differentiate(network, observations)
        local.add_gradient()
    torch.testing.assert_close(local.take_gradient(math.inf)[0], 300 * whole, rtol=1e-4, atol=1e-6)
    differentiate(network, observations)
    torch.testing.assert_close(taken(local, math.inf)[0], whole)


@pytest.mark.parametrize(("part", "clipped"), [(0.5, True), (1.0, False), (2.0, False)])
def test_the_gradient_is_clipped_to_its_norm(part: float, clipped: bool) -> None:
    network, observations = make_network("mlp"), make_observations("mlp")
    local = LocalParameters(network)
    differentiate(network, observations)
    whole, norm = taken(local, math.inf)
    whole = whole.clone()
    assert norm == pytest.approx(float(whole.norm()))
    assert norm > 0
    differentiate(network, observations)
    gradient, reported = taken(local, part * norm)
    assert reported == norm, "the norm is the one before clipping"
    torch.testing.assert_close(gradient, part * whole if clipped else whole)


def test_a_gradient_that_is_not_finite_is_reported() -> None:
    network = make_network("mlp")
    local = LocalParameters(network)
    differentiate(network, torch.full((1, 4), math.inf))
    assert not math.isfinite(taken(local, 0.5)[1])
    differentiate(network, make_observations("mlp"))
    assert math.isfinite(taken(local, 0.5)[1]), "one bad gradient must not stay for ever"


@pytest.mark.parametrize("network", ["paper", "nature", "mlp"])
def test_flat_gradients_are_autograds(network: Network) -> None:
    ordinary, observations = make_network(network), make_observations(network)
    ours = copy.deepcopy(ordinary)
    local = LocalParameters(ours)
    differentiate(ordinary, observations)
    differentiate(ours, observations)
    for expected, parameter in zip(ordinary.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, expected.grad, atol=1e-3, rtol=1e-3)
    gradient, norm = taken(local, math.inf)
    expected_norm = torch.cat([parameter.grad.flatten() for parameter in ordinary.parameters()]).norm()
    assert norm == pytest.approx(float(expected_norm), rel=1e-4)
    # A step along the flat gradient moves every tensor of the network along its own.
    before = [parameter.detach().clone() for parameter in ours.parameters()]
    local.pull(local.float32_parameters() - 0.5 * gradient)
    for old, new, plain in zip(before, ours.parameters(), ordinary.parameters(), strict=True):
        torch.testing.assert_close(old - new.detach(), 0.5 * plain.grad, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("network", ["paper", "nature", "mlp"])
def test_the_networks_tensors_are_views_of_the_flat_vector(network: Network) -> None:
    made, observations = make_network(network), make_observations(network)
    before = [tensor.detach().clone() for tensor in made(observations)]
    local = LocalParameters(made)
    assert local.size == sum(parameter.numel() for parameter in made.parameters())
    for kept, tensor in zip(before, made(observations), strict=True):
        torch.testing.assert_close(tensor.detach(), kept, msg="moving into the vector changed the network")
    flat = local.float32_parameters()
    local.pull(2 * flat)
    changed = [tensor.detach().clone() for tensor in made(observations)]
    assert all(not torch.allclose(new, kept) for new, kept in zip(changed, before, strict=True))
    local.pull(flat)
    for kept, tensor in zip(before, made(observations), strict=True):
        torch.testing.assert_close(tensor.detach(), kept)


def test_the_vector_is_the_trunk_then_the_heads_channels_last() -> None:
    made = make_network("paper")
    local = LocalParameters(made)
    assert isinstance(made.trunks[0], ConvTrunk)
    weight = made.trunks[0].convolutions[0].weight
    assert isinstance(weight, Tensor)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    values = torch.arange(local.size, dtype=torch.float32)
    local.pull(values)
    # Output channel 0, row 0: 4 input channels of column 0, then those of column 1.
    assert weight[0, :, 0, 0].tolist() == [0, 1, 2, 3]
    assert weight[0, :, 0, 1].tolist() == [4, 5, 6, 7]
    assert weight[1, 0, 0, 0].item() == 8 * 8 * 4
    assert made.heads.value.bias.item() == local.size - 1
    assert torch.equal(local.float32_parameters(), values)


@pytest.mark.parametrize("network", ["paper", "mlp"])
def test_a_pull_after_a_push_brings_equal_parameters(network: Network) -> None:
    shared = SharedParameters.of_network(make_network(network), CONFIG)
    made = make_network(network)
    local = LocalParameters(made)
    assert torch.equal(shared.parameters, local.float32_parameters())
    before = shared.parameters.clone()
    differentiate(made, make_observations(network))
    update(shared, taken(local, 0.5)[0])
    assert torch.equal(local.float32_parameters(), before), "only the shared parameters are updated"
    local.pull(shared.parameters)
    assert torch.equal(local.float32_parameters(), shared.parameters)
    assert not torch.equal(shared.parameters, before)


def test_bf16_is_the_trunks_alone() -> None:
    made, observations = make_network("paper"), make_observations("paper")
    local = LocalParameters(made, torch.bfloat16)
    assert {parameter.dtype for parameter in made.trunks[0].parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in made.heads.parameters()} == {torch.float32}
    differentiate(made, observations)
    gradient, _ = taken(local, 0.5)
    assert gradient.dtype == local.float32_parameters().dtype == torch.float32
    parameters = torch.full((local.size,), 1 + 2**-12)
    local.pull(parameters)
    trunk_size = sum(parameter.numel() for parameter in made.trunks[0].parameters())
    rounded = local.float32_parameters()
    assert (rounded[:trunk_size] == 1).all(), "bf16 has 8 bits of mantissa"
    assert torch.equal(rounded[trunk_size:], parameters[trunk_size:])


def test_bf16_gradients_are_nearly_float32s() -> None:
    gradients = []
    for precision in (torch.float32, torch.bfloat16):
        made = make_network("paper")
        local = LocalParameters(made, precision)
        differentiate(made, make_observations("paper"))
        gradients.append(taken(local, 1.0)[0])
    assert float(gradients[0] @ gradients[1]) > 0.99


def test_memory_is_shared() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    tensors = [value for value in vars(shared).values() if isinstance(value, Tensor)]
    assert len(tensors) == 8
    assert all(tensor.is_shared() for tensor in tensors)


def test_initial_parameters_are_copied() -> None:
    start = torch.tensor(START)
    shared = SharedParameters(start, CONFIG)
    start.zero_()
    assert shared.parameters.tolist() == START


@pytest.mark.parametrize("wrong", [torch.zeros(3, dtype=torch.float64), torch.zeros(3, 1)], ids=["float64", "matrix"])
def test_parameters_of_another_kind_are_refused(wrong: Tensor) -> None:
    with pytest.raises(AssertionError, match="shared parameters must be"):
        SharedParameters(wrong, CONFIG)


def test_counters_are_sums_of_one_slot_a_worker() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    for learner_id, steps, updated, games in ((0, 40, True, 0), (2, 7, False, 1), (2, 3, True, 2)):
        shared.count(learner_id, steps, updated, games)
    counters = (shared.steps, shared.updates, shared.games)
    assert [counter.tolist() for counter in counters] == [[40, 0, 10], [1, 0, 1], [0, 0, 3]]
    assert (shared.total_steps(), shared.total_updates(), shared.total_games()) == (50, 2, 3)


def test_steps_do_not_overflow_32_bits() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    shared.count(0, 2**33, True, 0)
    assert shared.total_steps() == 2**33


def totals(shared: SharedParameters) -> tuple[int, int, int]:
    return shared.total_steps(), shared.total_updates(), shared.total_games()


@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 2, 3), (1000, 334, 7)])
def test_a_restored_run_goes_on_with_its_counts(counts: tuple[int, int, int]) -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    shared.count(1, 5, True, 1)
    shared.restore((torch.tensor([1.0, 4.0, 9.0]), NOTHING), counts, minutes=2.0)
    assert totals(shared) == counts
    assert shared.optimizer.square_average.tolist() == [1.0, 4.0, 9.0]
    shared.count(2, 7, True, 1)
    assert totals(shared) == (counts[0] + 7, counts[1] + 1, counts[2] + 1)
    assert all(value.is_shared() for value in vars(shared).values() if isinstance(value, Tensor))


def test_the_clock_goes_on_from_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    shared = SharedParameters(torch.tensor(START), CONFIG)
    assert shared.minutes() == pytest.approx(0.0, abs=1e-6)
    now += 90
    assert shared.minutes() == pytest.approx(1.5)
    shared.restore((shared.optimizer.square_average, NOTHING), (0, 0, 0), minutes=100.0)
    now += 60
    assert shared.minutes() == pytest.approx(101.0)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"total_steps": 1000, "max_minutes": None}, 0.25),
        ({"total_steps": 1000, "max_minutes": 100.0}, 0.5),
        ({"total_steps": 1000, "max_minutes": 100.0, "max_episodes": 100}, 0.9),
        ({"total_steps": 100, "max_minutes": None}, 1.0),
    ],
)
def test_progress_is_by_steps_minutes_and_games(limits: dict[str, Any], expected: float) -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG.replace(**limits))
    shared.restore((shared.optimizer.square_average, NOTHING), (250, 0, 90), minutes=50.0)
    assert shared.progress() == pytest.approx(expected, abs=1e-3)


def test_stop() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    assert not shared.stopped
    shared.stop()
    assert shared.stopped
