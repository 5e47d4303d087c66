"""Where the policy looks (Greydanus et al. 2018, "Visualizing and understanding Atari agents")."""

from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from breakout_a3c.games.preprocessing import SIDE, Bytes
from breakout_a3c.learning.networks import ActorCritic

STRIDE = 6  # pixels between two places that are looked at
SPOT = 5.0  # standard deviation of the spot that is blurred, in pixels
BLUR = 3.0  # standard deviation of the blur inside it
PLACES = SIDE // STRIDE
Map = NDArray[np.float32]


@cache
def spots() -> Map:
    """Return how much each place's spot covers each pixel, ``(PLACES ** 2, 84, 84, 1)``."""
    centres = (np.arange(PLACES) + 0.5) * STRIDE - 0.5
    line = np.exp(-((np.arange(SIDE) - centres[:, np.newaxis]) ** 2) / (2 * SPOT**2))
    both = np.einsum("iy,jx->ijyx", line, line).reshape(-1, SIDE, SIDE, 1)
    weights: Map = both.astype(np.float32)
    return weights


@torch.no_grad()
def policy_saliency(network: ActorCritic, observation: Bytes) -> Map:
    """Return how much the policy changes when a spot is blurred, ``(PLACES, PLACES)`` from 0 up.

    ``S = 1/2 |logits(x) - logits(x')|^2`` (equation 2), where x' is x with the spot blurred in all
    four frames.

    Args:
        network: The policy.
        observation: ``(84, 84, 4)`` uint8.
    """
    sharp = observation.astype(np.float32)
    difference = cv2.GaussianBlur(sharp, (0, 0), BLUR) - sharp
    batch = np.empty((1 + PLACES**2, *sharp.shape), np.float32)
    batch[0] = sharp
    np.multiply(spots(), difference, out=batch[1:])
    batch[1:] += sharp
    logits, _ = network(torch.from_numpy(batch))
    changes = (logits[1:] - logits[0]).square().sum(dim=1) / 2
    saliency: Map = changes.reshape(PLACES, PLACES).numpy()
    return saliency
