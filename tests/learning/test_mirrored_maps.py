"""Sums and differences of maps and their mirror image: by compiled loops what torch's own operations give."""

import pytest
import torch
from torch import Tensor

from breakout_a3c.learning.mirrored_maps import even_and_odd, joined_parts

PRECISIONS = pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)


def make_maps(precision: torch.dtype, channels: int = 64) -> Tensor:
    return torch.randn(3, 5, 9, channels, generator=torch.Generator().manual_seed(0)).to(precision)


@PRECISIONS
@pytest.mark.parametrize("channels", [32, 64])
def test_compiled_loops_round_as_torch_does(precision: torch.dtype, channels: int) -> None:
    maps = make_maps(precision, channels)
    followed = even_and_odd(maps.requires_grad_())
    assert all(part.requires_grad for part in followed), "autograd has to follow"
    with torch.no_grad():
        compiled = even_and_odd(maps)
    for ours, torchs in zip(compiled, followed, strict=True):
        assert ours.dtype == precision
        assert torch.equal(ours, torchs)


@PRECISIONS
def test_maps_in_another_order_in_memory_are_the_same_maps(precision: torch.dtype) -> None:
    maps = make_maps(precision)
    elsewhere = maps.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert not elsewhere.is_contiguous()
    with torch.no_grad():
        for ours, expected in zip(even_and_odd(elsewhere), even_and_odd(maps), strict=True):
            assert torch.equal(ours, expected)


@PRECISIONS
def test_joined_parts_are_the_gradient_of_the_maps(precision: torch.dtype) -> None:
    maps = make_maps(precision).requires_grad_()
    gradients = [torch.randn(3, 5 * 9 * 32, generator=torch.Generator().manual_seed(i)).to(precision) for i in (1, 2)]
    (expected,) = torch.autograd.grad(even_and_odd(maps), maps, gradients)
    ours = joined_parts(gradients[0], gradients[1], maps.shape[1:])
    assert ours.dtype == precision
    torch.testing.assert_close(ours, expected, rtol=0.01 if precision == torch.bfloat16 else 1e-6, atol=1e-6)


@PRECISIONS
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 3.0e38])
def test_what_is_not_finite_stays_so(precision: torch.dtype, value: float) -> None:
    maps = torch.zeros(1, 1, 2, 32, dtype=precision)
    maps[0, 0, 0, 5] = value
    with torch.no_grad():
        even, odd = even_and_odd(maps)
    for part in (even, odd):
        torch.testing.assert_close(part[0, 5], maps[0, 0, 0, 5], equal_nan=True)
        assert int(part.count_nonzero()) == 1


def test_channels_that_do_not_fill_a_vector_are_refused() -> None:
    with torch.no_grad(), pytest.raises(AssertionError, match="maps"):
        even_and_odd(torch.zeros(1, 9, 9, 16))
