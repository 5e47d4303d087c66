"""Layers whose outputs were computed by acting: only their gradients are.

The local parameters do not change during a rollout, so the outputs of acting serve the gradient, too: that is exact,
and saves a forward pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor
from torch.nn import functional

from breakout_a3c.learning.mirrored_maps import even_and_odd, joined_parts


class ConvWeights(NamedTuple):
    """What the layers of a trunk of convolutions multiply by."""

    convolutions: list[tuple[Tensor, Tensor, tuple[int, int]]]  # weight, bias and stride
    dense: tuple[Tensor, ...]  # (features, D), or of a symmetric network two parts, (features / 2, D / 2) each


@dataclass(frozen=True, slots=True)
class CachedOutputs:
    """What the layers of a network put out for a batch, and the parameters that made it."""

    layers: list[Tensor]  # (B, ...) each, the policy's trunk before the value's where there are two
    weights: Sequence[ConvWeights | None]  # of each trunk
    version: int  # of the parameters

    @classmethod
    def joined(cls, steps: Sequence["CachedOutputs"]) -> Self:
        """Return the outputs for the batches of several steps, one after the other.

        Args:
            steps: Made by the same parameters.
        """
        versions = {step.version for step in steps}
        assert len(versions) == 1, f"cached outputs of parameters {sorted(versions)} belong to no one network"
        layers = [torch.cat(outputs) for outputs in zip(*(step.layers for step in steps), strict=True)]
        return cls(layers, steps[0].weights, versions.pop())


class CachedOutputConvolution(torch.autograd.Function):
    """ReLU of a convolution whose output acting computed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, output: Tensor, stride: tuple[int, int]) -> Tensor:
        """Return ``output``.

        Args:
            ctx: What ``backward`` needs.
            x: ``(B, c, h, w)``, channels-last.
            weight: ``(C, c, k, k)``.
            bias: ``(C,)``.
            output: ``(B, C, H, W)``, channels-last.
            stride: Of both directions.
        """
        ctx.save_for_backward(x, weight, output)
        ctx.stride = stride
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of input, weight and bias."""
        x, weight, output = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, output, 0)
        _, to_weight, to_bias = torch.ops.aten.convolution_backward(
            gradient, x, weight, [len(weight)], ctx.stride, (0, 0), (1, 1), False, (0, 0), 1, (False, True, True)
        )
        to_input = convolution_input_gradient(gradient, weight, ctx.stride[0]) if ctx.needs_input_grad[0] else None
        return to_input, to_weight, to_bias, None, None


def convolution_input_gradient(gradient: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Return the gradient of a convolution's input, by a convolution that has no stride.

    Each of ``stride ** 2`` phases of the input pixels has a small kernel of its own (Shi et al. 2016,
    section 2.2). For the paper's second layer 12 us a frame, where convolution_backward takes 20.

    Args:
        gradient: ``(B, C, h, w)`` of the output, channels-last.
        weight: ``(C, c, k, k)``, with k a multiple of ``stride``.
        stride: Of the convolution.

    Returns:
        ``(B, c, (h - 1) * stride + k, (w - 1) * stride + k)``, channels-last.
    """
    channels, size = weight.shape[1], weight.shape[2] // stride
    # (C, y, phase y, x, phase x, c) to (phase y, phase x, c; C, y, x), turned by 180 degrees.
    kernels = weight.permute(0, 2, 3, 1).reshape(-1, size, stride, size, stride, channels).permute(2, 4, 5, 0, 1, 3)
    kernels = kernels.flatten(0, 2).flip(2, 3).contiguous(memory_format=torch.channels_last)
    phases = functional.conv2d(gradient, kernels, padding=size - 1).permute(0, 2, 3, 1)
    batch, height, width, _ = phases.shape
    pixels = phases.view(batch, height, width, stride, stride, channels).transpose(2, 3)
    return pixels.reshape(batch, height * stride, width * stride, channels).permute(0, 3, 1, 2)


class CachedOutputDense(torch.autograd.Function):
    """ReLU of a dense layer whose output acting computed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, output: Tensor) -> Tensor:
        """Return ``output``, ``(B, features)``."""
        ctx.save_for_backward(x, weight, output)
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of input, weight and bias."""
        x, weight, output = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, output, 0)
        to_input = gradient @ weight if ctx.needs_input_grad[0] else None
        return to_input, gradient.t() @ x, gradient.sum(0), None


class CachedOutputSymmetricDense(torch.autograd.Function):
    """ReLU of a dense layer for maps and for their mirror image, whose output acting computed."""

    @staticmethod
    def forward(
        ctx: Any,
        maps: Tensor,
        weight: Tensor,
        even_weight: Tensor,
        odd_weight: Tensor,
        bias: Tensor,
        output: Tensor,
    ) -> Tensor:
        """Return ``output``.

        Args:
            ctx: What ``backward`` needs.
            maps: ``(B, H, W, C)``.
            weight: ``(features / 2, H * W * C)``.
            even_weight: ``(features / 2, H * W * C / 2)``, with the other one ``even_and_odd`` of the weight.
            odd_weight: ``(features / 2, H * W * C / 2)``.
            bias: ``(features / 2,)``.
            output: ``(B, features)``, of the maps and of the mirror image.
        """
        ctx.save_for_backward(maps, even_weight, odd_weight, output)
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of maps, weight and bias."""
        maps, even_weight, odd_weight, output = ctx.saved_tensors
        as_it_is, mirrored = torch.ops.aten.threshold_backward(gradient, output, 0).div_(2).chunk(2, dim=1)
        to_even, to_odd = as_it_is + mirrored, as_it_is - mirrored
        even, odd = even_and_odd(maps)
        to_maps = joined_parts(to_even @ even_weight, to_odd @ odd_weight, maps.shape[1:])
        to_weight = joined_parts(to_even.t() @ even, to_odd.t() @ odd, maps.shape[1:]).flatten(1)
        return to_maps, to_weight, None, None, 2 * to_even.sum(0), None


# torch leaves Function.apply without types.
cached_convolution = cast(Callable[..., Tensor], CachedOutputConvolution.apply)
cached_dense = cast(Callable[..., Tensor], CachedOutputDense.apply)
cached_symmetric_dense = cast(Callable[..., Tensor], CachedOutputSymmetricDense.apply)
