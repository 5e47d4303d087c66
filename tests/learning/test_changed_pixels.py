"""The convolution of changed pixels: that of all pixels, and its gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from breakout_a3c.learning.changed_pixels import changed_pixels_convolution
from tests.learning.test_networks import make_network

SCREENS = (84, 84, 4)


def make_screens(changed: float) -> tuple[Tensor, Tensor]:
    """Return three observations and the background, of whose pixels that part is not theirs."""
    generator = torch.Generator().manual_seed(0)
    background = torch.randint(256, (84, 84, 1), generator=generator, dtype=torch.uint8).repeat(1, 1, 4)
    others = torch.randint(256, (3, *SCREENS), generator=generator, dtype=torch.uint8)
    where = torch.rand(3, 84, 84, 1, generator=generator) < changed
    return torch.where(where, others, background), background


def make_layer(filters: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(filters, 4, 8, 8, generator=generator) / 4000
    return weight.requires_grad_(), torch.randn(filters, generator=generator).requires_grad_()


def convolution_of_all(observations: Tensor, background: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    pixels = (observations.to(weight.dtype) - background.to(weight.dtype)).permute(0, 3, 1, 2)
    return functional.conv2d(pixels, weight, bias, 4).relu()


@pytest.mark.parametrize("filters", [8, 16, 32, 64])
@pytest.mark.parametrize("changed", [0.0, 0.03, 1.0])
def test_it_is_the_convolution_of_all_pixels_with_its_gradients(filters: int, changed: float) -> None:
    (observations, background), (weight, bias) = make_screens(changed), make_layer(filters)
    ours = changed_pixels_convolution(observations, background, weight, bias)
    expected = convolution_of_all(observations, background, weight, bias)
    assert ours.shape == expected.shape == (3, filters, 20, 20)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    gradient = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2))
    cached = changed_pixels_convolution(observations, background, weight, bias, ours.detach())
    assert torch.equal(cached, ours)
    expected_gradients = torch.autograd.grad(expected, (weight, bias), gradient)
    for output in (ours, cached):
        gradients = torch.autograd.grad(output, (weight, bias), gradient)
        for given, wanted in zip(gradients, expected_gradients, strict=True):
            torch.testing.assert_close(given, wanted, atol=1e-5 * max(1.0, float(wanted.abs().max())), rtol=0)


@pytest.mark.parametrize("place", [(0, 0, 0), (0, 83, 3), (83, 0, 1), (83, 83, 2), (41, 4, 3), (3, 80, 0)])
def test_each_pixel_and_frame_is_where_the_convolution_has_it(place: tuple[int, int, int]) -> None:
    background = torch.full(SCREENS, 100, dtype=torch.uint8)
    observations = background.repeat(2, 1, 1, 1)
    observations[1][place] = 255
    weight, bias = make_layer(16)
    ours = changed_pixels_convolution(observations, background, weight, bias)
    torch.testing.assert_close(ours, convolution_of_all(observations, background, weight, bias))
    assert not torch.equal(ours[0], ours[1])


def test_in_bf16_only_the_result_is_rounded() -> None:
    (observations, background), (weight, bias) = make_screens(0.1), make_layer(16)
    rounded = weight.detach().bfloat16(), bias.detach().bfloat16()
    ours = changed_pixels_convolution(observations, background, *rounded)
    expected = convolution_of_all(observations, background, *(values.float() for values in rounded))
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours, expected.bfloat16(), atol=1e-5, rtol=0.01)


def test_in_bf16_the_gradient_is_that_of_the_rounded_numbers() -> None:
    (observations, background), (weight, bias) = make_screens(0.1), make_layer(16)
    narrow = tuple(each.detach().bfloat16().requires_grad_() for each in (weight, bias))
    wide = tuple(each.detach().float().requires_grad_() for each in narrow)
    ours = changed_pixels_convolution(observations, background, *narrow)
    expected = changed_pixels_convolution(observations, background, *wide)
    gradient = torch.randn(ours.shape, generator=torch.Generator().manual_seed(2)).bfloat16()
    for given, wanted in zip(
        torch.autograd.grad(ours, narrow, gradient), torch.autograd.grad(expected, wide, gradient.float()), strict=True
    ):
        assert torch.equal(given, wanted.bfloat16())


def test_filters_that_do_not_fill_a_vector_are_refused() -> None:
    (observations, background), (weight, bias) = make_screens(0.1), make_layer(12)
    with pytest.raises(AssertionError, match="weights"):
        changed_pixels_convolution(observations, background, weight, bias)
    with pytest.raises(AssertionError, match="screens"):
        changed_pixels_convolution(observations[:, :80], background, *make_layer(16))


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_network_answers_alike_for_screens_of_bytes_and_of_floats(symmetric: bool) -> None:
    observations, background = make_screens(0.1)
    network = make_network("paper", symmetric=symmetric, background=background[..., 0])
    torch.testing.assert_close(network(observations), network(observations.float()), atol=1e-5, rtol=1e-4)
