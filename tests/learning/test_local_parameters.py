"""A network's parameters as flat vectors: views, gradients in parts, clipping, and two precisions."""

import copy
import math

import pytest
import torch
from torch import Tensor

from breakout_a3c.config import Network
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic, ConvTrunk


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


def taken(local: LocalParameters, max_norm: float) -> tuple[torch.Tensor, float]:
    local.add_gradient()
    return local.take_gradient(max_norm)


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


def test_a_pull_makes_a_new_version_of_the_network() -> None:
    made = make_network("mlp")
    local = LocalParameters(made)
    before = made.version
    local.pull(local.float32_parameters())
    assert made.version == before + 1, "equal parameters count, too: nobody compares them"
