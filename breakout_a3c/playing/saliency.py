"""Saliency maps of a policy (Greydanus et al. 2018, "Visualizing and understanding Atari agents").

The first convolution is linear: what a blurred place changes in its sums is the convolution of that change alone, of
a patch around the place. All else is the same for each place.
"""

import math
from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from breakout_a3c.games.preprocessing import SIDE, Bytes
from breakout_a3c.learning.changed_pixels import KERNEL, OUTPUTS, STRIDE
from breakout_a3c.learning.networks import ActorCritic, ConvTrunk

SPACING = 6  # pixels between two places
PLACES = SIDE // SPACING  # along each side
MASK_STD = 5.0  # of the spot that is blurred, in pixels
MASK_RADIUS = 15  # beyond it the mask is zero
BLUR_STD = 3.0  # of the blur inside it, in pixels
# A patch holds all pixels whose convolutions see a place: its mask, and a kernel less a stride around it.
PATCH = STRIDE * -(-(2 * MASK_RADIUS + STRIDE) // STRIDE) + 2 * (KERNEL - STRIDE)
PATCH_OUTPUTS = (PATCH - KERNEL) // STRIDE + 1
PADDING = (MASK_RADIUS + KERNEL, MASK_RADIUS + 2 * KERNEL)  # of the screen, for the patches at its edges
UNCHANGED = 0.5  # gray levels of 255
Floats = NDArray[np.float32]


@cache
def place_lines() -> Floats:
    """Return the mask of each place along one side, ``(PLACES, 84)``: 1 at its centre, 0 far from it."""
    centres = (np.arange(PLACES) + 0.5) * SPACING - 0.5
    distances = np.abs(np.arange(SIDE) - centres[:, np.newaxis])
    lines: Floats = (np.exp(-(distances**2) / (2 * MASK_STD**2)) * (distances <= MASK_RADIUS)).astype(np.float32)
    return lines


@cache
def place_masks() -> Floats:
    """Return the mask of each place, ``(PLACES ** 2, 84, 84, 1)``."""
    lines = place_lines()
    masks: Floats = np.einsum("iy,jx->ijyx", lines, lines).reshape(-1, SIDE, SIDE, 1)
    return masks


@cache
def patch_starts() -> list[int]:
    """Return the first pixel of each place's patch along one side, a multiple of the stride; it may be negative."""
    first_pixels = [math.ceil((place + 0.5) * SPACING - 0.5 - MASK_RADIUS) for place in range(PLACES)]
    return [STRIDE * (first // STRIDE) - (KERNEL - STRIDE) for first in first_pixels]


@cache
def patch_masks() -> Floats:
    """Return the mask of each place within its patch, ``(PLACES ** 2, PATCH, PATCH)``."""
    starts = patch_starts()
    lines = np.pad(place_lines(), ((0, 0), PADDING))
    cut = [line[PADDING[0] + start :][:PATCH] for line, start in zip(lines, starts, strict=True)]
    masks: Floats = np.einsum("iy,jx->ijyx", cut, cut).reshape(-1, PATCH, PATCH)
    return masks


@torch.no_grad()
def policy_saliency(network: ActorCritic, observation: Bytes, lstm_state: Tensor | None = None) -> Floats:
    """Return how much the policy changes when one place is blurred.

    ``S = 1/2 |logits(x) - logits(x')|^2`` (equation 2), where x' is x with the place blurred in all four frames.

    Args:
        network: The policy.
        observation: ``(84, 84, 4)`` uint8.
        lstm_state: ``(S,)``, what the network remembers; None: nothing.

    Returns:
        ``(PLACES, PLACES)`` float32, at least 0.
    """
    sharp = observation.astype(np.float32)
    difference = cv2.GaussianBlur(sharp, (0, 0), BLUR_STD) - sharp
    places = changed_places(difference)
    trunk = network.policy_trunk
    if isinstance(trunk, ConvTrunk):
        features = features_by_patches(trunk, sharp, difference, places)
    else:
        features = trunk(torch.from_numpy(blurred_screens(sharp, difference, places)))[-1]
    remembered = network.first_lstm_state(1)[0] if lstm_state is None else lstm_state
    logits = network.logits(features, remembered.expand(len(features), -1))
    saliency = np.zeros(PLACES**2, np.float32)
    saliency[places] = (logits[1:] - logits[0]).square().sum(dim=1).numpy() / 2
    return saliency.reshape(PLACES, PLACES)


def changed_places(difference: Floats) -> NDArray[np.int64]:
    """Return the places ``(N,)`` where the blur changes a pixel by more than a screen can show."""
    pixels = np.abs(difference).max(axis=2)
    by_column = (pixels * place_lines()[:, np.newaxis]).max(axis=2)  # (PLACES, 84), of each row
    changes = (by_column * place_lines()[:, np.newaxis]).max(axis=2)  # (PLACES, PLACES), rows first
    return np.flatnonzero(changes > UNCHANGED)


def blurred_screens(sharp: Floats, difference: Floats, places: NDArray[np.int64]) -> Floats:
    """Return a screen as it is, and with each of ``N`` places blurred, ``(1 + N, 84, 84, 4)``.

    Args:
        sharp: The screen, ``(84, 84, 4)``.
        difference: What a blur of all of it adds.
        places: ``(N,)``.
    """
    blurred: Floats = sharp + place_masks()[places] * difference
    return np.concatenate((sharp[np.newaxis], blurred))


def features_by_patches(trunk: ConvTrunk, sharp: Floats, difference: Floats, places: NDArray[np.int64]) -> Tensor:
    """Return the features ``(1 + N, num_features)`` of ``blurred_screens``."""
    weights = trunk.weights()
    weight, bias, stride = weights.convolutions[0]
    sums = functional.conv2d(trunk.pixels(torch.from_numpy(sharp[np.newaxis])), weight, bias, stride).float()
    patches = torch.from_numpy(changed_patches(difference, places)).to(weight.dtype)
    changes = functional.conv2d(patches, weight, None, stride).float().numpy()
    first = sums.repeat(1 + len(places), 1, 1, 1)
    outputs = [overlap(start // STRIDE) for start in patch_starts()]
    for screen, change, place in zip(first.numpy()[1:], changes, places, strict=True):
        (rows, of_rows), (columns, of_columns) = outputs[place // PLACES], outputs[place % PLACES]
        screen[:, rows, columns] += change[:, of_rows, of_columns]
    return trunk.forward_from_first(first.relu_().to(weight.dtype), weights)[-1]


def changed_patches(difference: Floats, places: NDArray[np.int64]) -> Floats:
    """Return what the blur of each place adds to the pixels around it, ``(N, 4, PATCH, PATCH)``."""
    padded = np.pad(difference.transpose(2, 0, 1), ((0, 0), PADDING, PADDING))
    patches = np.empty((len(places), len(padded), PATCH, PATCH), np.float32)
    for patch, place in zip(patches, places, strict=True):
        row, column = (PADDING[0] + patch_starts()[each] for each in divmod(place, PLACES))
        np.multiply(padded[:, row : row + PATCH, column : column + PATCH], patch_masks()[place], out=patch)
    return patches


def overlap(start: int) -> tuple[slice, slice]:
    """Return which of the outputs a patch has that begins at one of them: among all outputs, and among its own."""
    first, end = max(0, start), min(OUTPUTS, start + PATCH_OUTPUTS)
    return slice(first, end), slice(first - start, end - start)
