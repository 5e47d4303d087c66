"""What acting computed serves the gradient: the same outputs, the gradients of autograd, the same parameters."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from breakout_a3c.config import Network
from breakout_a3c.learning.cached_layers import CachedOutputs, convolution_input_gradient
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic
from tests.learning.test_networks import ATARI, make_network, make_observations


def decided_from_cache(network: ActorCritic, observations: Tensor, cached: CachedOutputs) -> tuple[Tensor, Tensor]:
    """Return logits and values, differentiably."""
    features = network.features_from_cache(observations, cached)
    return network.heads(features[0], features[-1])


@pytest.mark.parametrize(
    ("network", "symmetric"), [("paper", False), ("paper", True), ("nature", False), ("nature", True), ("mlp", False)]
)
@pytest.mark.parametrize("background", [None, 90])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_the_cache_gives_the_outputs_of_acting_and_the_gradients_of_autograd(
    network: Network, symmetric: bool, precision: torch.dtype, background: int | None
) -> None:
    screen = None if background is None or network == "mlp" else torch.full((84, 84), background, dtype=torch.uint8)
    made, observations = make_network(network, symmetric=symmetric, background=screen), make_observations(network, 6)
    LocalParameters(made, precision)
    with torch.no_grad():
        parts = [made.act(part) for part in observations.split(2)]
    from_cache = decided_from_cache(made, observations, CachedOutputs.joined([part[2] for part in parts]))
    repeated = made(observations)
    for index in (0, 1):
        torch.testing.assert_close(from_cache[index], torch.cat([part[index] for part in parts]))
    gradients = []
    for logits, values in (from_cache, repeated):
        loss = (logits.log_softmax(-1)[:, 0] * torch.arange(-2.0, 4.0)).sum() + values.square().sum()
        gradients.append(torch.autograd.grad(loss, list(made.parameters())))
    for ours, autograds in zip(*gradients, strict=True):
        tolerance = (0.02 if precision == torch.bfloat16 else 1e-4) * float(autograds.abs().max())
        torch.testing.assert_close(ours, autograds, atol=tolerance, rtol=0)


@pytest.mark.parametrize("network", ["paper", "mlp"])
def test_with_two_trunks_the_value_has_nothing_to_do_with_the_policy(network: Network) -> None:
    torch.manual_seed(0)
    made = ActorCritic(network, (4,) if network == "mlp" else ATARI, 3, separate_value_network=True)
    observations = make_observations(network, 5)
    logits, values, cached, _ = made.act(observations)
    detached = CachedOutputs([output.detach() for output in cached.layers], cached.weights, cached.version)
    from_cache = decided_from_cache(made, observations, detached)
    torch.testing.assert_close(from_cache, (logits, values))
    policy_trunk, value_trunk = (list(trunk.parameters()) for trunk in made.trunks)
    for loss, concerned, other in ((logits, policy_trunk, value_trunk), (values, value_trunk, policy_trunk)):
        for output in (loss, from_cache[0] if loss is logits else from_cache[1]):
            total = output.square().sum()
            assert all(bool(g.any()) for g in torch.autograd.grad(total, concerned, retain_graph=True))
            grads = torch.autograd.grad(total, other, retain_graph=True, allow_unused=True)
            assert all(gradient is None for gradient in grads)


@torch.no_grad()
def test_the_cache_of_other_parameters_is_refused() -> None:
    made, observations = make_network("mlp"), make_observations("mlp", 3)
    local = LocalParameters(made)
    for _ in range(4):
        local.pull(local.float32_parameters())
    logits, _, cached, _ = made.act(observations)
    torch.testing.assert_close(decided_from_cache(made, observations, cached)[0], logits)
    local.pull(2 * local.float32_parameters())
    with pytest.raises(AssertionError, match=r"parameters 5 did not make the cache of 4$"):
        made.features_from_cache(observations, cached)


@torch.no_grad()
def test_steps_are_joined_layer_by_layer() -> None:
    made, observations = make_network("paper"), make_observations("paper", 5)
    first, second = (made.act(part)[2] for part in observations.split([2, 3]))
    joined = CachedOutputs.joined([first, second])
    assert joined.version == made.version
    assert [tuple(layer.shape) for layer in joined.layers] == [(5, 16, 20, 20), (5, 32, 9, 9), (5, 256)]
    for whole, one, other in zip(joined.layers, first.layers, second.layers, strict=True):
        assert torch.equal(whole[:2], one)
        assert torch.equal(whole[2:], other)


def test_steps_of_different_parameters_are_not_joined() -> None:
    steps = [CachedOutputs([torch.zeros(2, 4)], [None], version) for version in (7, 7, 8)]
    with pytest.raises(AssertionError, match=r"parameters \[7, 8\] belong to no one network"):
        CachedOutputs.joined(steps)


@pytest.mark.parametrize(("side", "kernel", "stride", "channels"), [(20, 4, 2, 16), (9, 3, 1, 64), (84, 8, 4, 4)])
def test_the_input_gradient_of_a_convolution_is_autograds(side: int, kernel: int, stride: int, channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, channels, side, side, generator=generator).requires_grad_()
    weight = torch.randn(8, channels, kernel, kernel, generator=generator)
    output = functional.conv2d(x, weight, stride=stride)
    gradient = torch.randn(output.shape, generator=generator)
    (expected,) = torch.autograd.grad(output, x, gradient)
    torch.testing.assert_close(convolution_input_gradient(gradient, weight, stride), expected, atol=1e-3, rtol=1e-4)
