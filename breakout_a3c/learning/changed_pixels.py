"""The first convolution, over those pixels alone that differ from the background.

A network that sees the game's usual screen as zero has little else to multiply: 2 to 20% of Breakout's pixels. The
loops over them are compiled by numba (docs/notes/changed-pixels.md).

A kernel is two strides wide, so that a pixel is a part of up to four outputs, two in each of two rows. Here it always
has four, as the outputs get a border; and the two of a row lie side by side in memory, as do the weights for them.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from breakout_a3c.games.preprocessing import SIDE, STACK, Words, compiled
from breakout_a3c.learning.vector_operations import (
    LANES,
    Floats,
    Numbers,
    add_products,
    add_products_to_rows,
    as_array,
    as_numbers,
    copy_where_positive,
    lowest_bit,
    where_different,
)

KERNEL, STRIDE = 8, 4
OUTPUTS = (SIDE - KERNEL) // STRIDE + 1  # along each side
BORDERED = OUTPUTS + 2


def in_pairs(weight: Tensor) -> Tensor:
    """Lay out weights ``(F, 4, 8, 8)`` for pairs of outputs, ``(8, 4, 4, 2 F)`` float32.

    By row of the kernel, column in a stride, and frame; last the filters of the left output, then of the right one,
    in whose kernel the pixel is a stride further left.
    """
    filters = len(weight)
    by_column = weight.float().permute(2, 3, 1, 0).reshape(KERNEL, 2, STRIDE, STACK, filters)
    return by_column.flip(1).permute(0, 2, 3, 1, 4).reshape(KERNEL, STRIDE, STACK, 2 * filters)


class ChangedPixelsConvolution(torch.autograd.Function):
    """ReLU of a convolution of screens less the background; see ``changed_pixels_convolution``."""

    @staticmethod
    def forward(
        ctx: Any,
        weight: Tensor,
        bias: Tensor,
        observations: Tensor,
        background: Tensor,
        output: Tensor | None,
        precision: torch.dtype,
    ) -> Tensor:
        """Return the output, ``(B, 20, 20, F)``, which is ``output`` where acting computed it.

        Args:
            ctx: What ``backward`` needs.
            weight: ``(8, 4, 4, 2 F)``, see ``in_pairs``.
            bias: ``(F,)`` float32.
            observations: ``(B, 84, 84, 4)`` uint8.
            background: ``(84, 84, 4)`` uint8.
            output: ``(B, 20, 20, F)``, or None.
            precision: Of the output, float32 or bf16.
        """
        if output is None:
            output = weight.new_empty(len(observations), OUTPUTS, OUTPUTS, len(bias), dtype=precision)
            convolve(as_words(observations), as_words(background), as_array(weight), as_array(bias), as_numbers(output))
        ctx.save_for_backward(observations, background, output)
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of weight and bias."""
        observations, background, output = ctx.saved_tensors
        filters = output.shape[-1]
        to_weight = torch.zeros(KERNEL, STRIDE, STACK, 2 * filters)
        to_bias = torch.zeros(filters)
        differentiate_convolution(
            as_words(observations),
            as_words(background),
            as_numbers(gradient.contiguous()),
            as_numbers(output),
            as_array(to_weight),
            as_array(to_bias),
        )
        return to_weight, to_bias, None, None, None, None


def changed_pixels_convolution(
    observations: Tensor, background: Tensor, weight: Tensor, bias: Tensor, output: Tensor | None = None
) -> Tensor:
    """Return the ReLU of a convolution of screens less the background, differentiable by weight and bias.

    Args:
        observations: ``(B, 84, 84, 4)`` uint8.
        background: ``(84, 84, 4)`` uint8.
        weight: ``(F, 4, 8, 8)``, F a multiple of 8, of a convolution by steps of 4.
        bias: ``(F,)``.
        output: What this returned for the same arguments; it is not computed again.

    Returns:
        ``(B, F, 20, 20)``, channels-last, of the weight's type.
    """
    assert weight.shape[1:] == (STACK, KERNEL, KERNEL), f"weights {weight.shape}"
    assert 2 * len(weight) % LANES == 0, f"weights {weight.shape}"
    assert observations.shape[1:] == background.shape == (SIDE, SIDE, STACK), f"screens {observations.shape}"
    cached = None if output is None else output.permute(0, 2, 3, 1)
    maps = convolution(in_pairs(weight), bias.float(), observations.contiguous(), background, cached, weight.dtype)
    return maps.permute(0, 3, 1, 2)


# torch leaves Function.apply without types.
convolution = cast(Callable[..., Tensor], ChangedPixelsConvolution.apply)


def as_words(pixels: Tensor) -> Words:
    """View the four frames of each pixel as one word: ``(..., 84, 84, 4)`` uint8 as ``(..., 84, 84)``."""
    return pixels.numpy().view(np.uint32)[..., 0]


@compiled("UniTuple(f4, 4)(u4, u4)")
def differences(pixel: np.uint32, zero: np.uint32) -> tuple[np.float32, ...]:
    """Return by how much each frame of a pixel is brighter than that of another, -255 to 255."""
    return (
        np.float32(np.int32(pixel & 255) - np.int32(zero & 255)),
        np.float32(np.int32(pixel >> 8 & 255) - np.int32(zero >> 8 & 255)),
        np.float32(np.int32(pixel >> 16 & 255) - np.int32(zero >> 16 & 255)),
        np.float32(np.int32(pixel >> 24) - np.int32(zero >> 24)),
    )


@compiled("UniTuple(i8, 4)(i8, i8, i8)")
def places_of(y: int, x: int, filters: int) -> tuple[int, int, int, int]:
    """Return where a pixel's upper and lower pair of outputs begin, and the weights for each, in the flat arrays."""
    upper = (y // STRIDE * BORDERED + x // STRIDE) * filters
    lower = upper + BORDERED * filters
    for_lower = (y % STRIDE * STRIDE + x % STRIDE) * STACK * 2 * filters
    for_upper = for_lower + STRIDE * STRIDE * STACK * 2 * filters
    return upper, lower, for_upper, for_lower


@compiled("UniTuple(i8, 2)(i8, i8, i8)")
def row_places(b: int, y: int, filters: int) -> tuple[int, int]:
    """Return where a row of outputs begins within a border, and where it does in all outputs, in the flat arrays."""
    return ((y + 1) * BORDERED + 1) * filters, (b * OUTPUTS + y) * OUTPUTS * filters


@compiled(
    "void(u4[:,:,::1], u4[:,::1], f4[:,:,:,::1], f4[::1], f4[:,:,:,::1])",
    "void(u4[:,:,::1], u4[:,::1], f4[:,:,:,::1], f4[::1], u2[:,:,:,::1])",
)
def convolve(observations: Words, background: Words, weight: Floats, bias: Floats, output: Numbers) -> None:
    """Write the ReLU of the convolution to ``output``.

    Args:
        observations: ``(B, 84, 84)``.
        background: ``(84, 84)``.
        weight: ``(8, 4, 4, 2 F)``.
        bias: ``(F,)``.
        output: ``(B, 20, 20, F)``.
    """
    filters = len(bias)
    pair = 2 * filters
    sums = np.empty((BORDERED, BORDERED, filters), np.float32)
    for b in range(len(observations)):
        for y in range(BORDERED):
            for x in range(BORDERED):
                for f in range(filters):
                    sums[y, x, f] = bias[f]
        for first in range(0, SIDE * SIDE, LANES):
            different = where_different(observations, b * SIDE * SIDE + first, background, first)
            while different:
                y, x = divmod(first + lowest_bit(different), SIDE)
                different &= different - 1
                factors = differences(observations[b, y, x], background[y, x])
                upper, lower, for_upper, for_lower = places_of(y, x, filters)
                for lane in range(0, pair, LANES):
                    add_products(sums, upper + lane, weight, for_upper + lane, pair, factors)
                    add_products(sums, lower + lane, weight, for_lower + lane, pair, factors)
        for y in range(OUTPUTS):
            within, row = row_places(b, y, filters)
            for lane in range(0, OUTPUTS * filters, LANES):
                copy_where_positive(sums, within + lane, sums, within + lane, output, row + lane)


@compiled(
    "void(u4[:,:,::1], u4[:,::1], f4[:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,::1], f4[::1])",
    "void(u4[:,:,::1], u4[:,::1], u2[:,:,:,::1], u2[:,:,:,::1], f4[:,:,:,::1], f4[::1])",
)
def differentiate_convolution(
    observations: Words,
    background: Words,
    gradient: Numbers,
    output: Numbers,
    to_weight: Floats,
    to_bias: Floats,
) -> None:
    """Add the gradients of weight and bias to ``to_weight`` and ``to_bias``.

    Args:
        observations: ``(B, 84, 84)``.
        background: ``(84, 84)``.
        gradient: ``(B, 20, 20, F)``, of the output.
        output: ``(B, 20, 20, F)``.
        to_weight: ``(8, 4, 4, 2 F)``.
        to_bias: ``(F,)``.
    """
    filters = len(to_bias)
    pair = 2 * filters
    bordered = np.zeros((BORDERED, BORDERED, filters), np.float32)
    for b in range(len(observations)):
        for y in range(OUTPUTS):
            within, row = row_places(b, y, filters)
            for lane in range(0, OUTPUTS * filters, LANES):
                copy_where_positive(gradient, row + lane, output, row + lane, bordered, within + lane)
            for x in range(OUTPUTS):
                for f in range(filters):
                    to_bias[f] += bordered[y + 1, x + 1, f]
        for first in range(0, SIDE * SIDE, LANES):
            different = where_different(observations, b * SIDE * SIDE + first, background, first)
            while different:
                y, x = divmod(first + lowest_bit(different), SIDE)
                different &= different - 1
                factors = differences(observations[b, y, x], background[y, x])
                upper, lower, for_upper, for_lower = places_of(y, x, filters)
                for lane in range(0, pair, LANES):
                    add_products_to_rows(to_weight, for_upper + lane, pair, bordered, upper + lane, factors)
                    add_products_to_rows(to_weight, for_lower + lane, pair, bordered, lower + lane, factors)
