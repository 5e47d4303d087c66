"""Saliency maps of a policy (Greydanus et al. 2018, "Visualizing and understanding Atari agents")."""

from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from breakout_a3c.games.preprocessing import SIDE, Bytes
from breakout_a3c.learning.networks import ActorCritic

STRIDE = 6  # pixels between two places
PLACES = SIDE // STRIDE  # along each side
MASK_STD = 5.0  # of the spot that is blurred, in pixels
BLUR_STD = 3.0  # of the blur inside it, in pixels
SaliencyMap = NDArray[np.float32]


@cache
def place_masks() -> NDArray[np.float32]:
    """Return the mask of each place, ``(PLACES ** 2, 84, 84, 1)``: 1 at its centre, 0 far from it."""
    centres = (np.arange(PLACES) + 0.5) * STRIDE - 0.5
    line = np.exp(-((np.arange(SIDE) - centres[:, np.newaxis]) ** 2) / (2 * MASK_STD**2))
    masks: NDArray[np.float32] = np.einsum("iy,jx->ijyx", line, line).reshape(-1, SIDE, SIDE, 1).astype(np.float32)
    return masks


@torch.no_grad()
def policy_saliency(network: ActorCritic, observation: Bytes, lstm_state: Tensor | None = None) -> SaliencyMap:
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
    batch = np.empty((1 + PLACES**2, *sharp.shape), np.float32)
    batch[0] = sharp
    np.multiply(place_masks(), difference, out=batch[1:])
    batch[1:] += sharp
    lstm_states = None if lstm_state is None else lstm_state.expand(len(batch), -1)
    logits, _ = network(torch.from_numpy(batch), lstm_states)
    changes = (logits[1:] - logits[0]).square().sum(dim=1) / 2
    saliency: SaliencyMap = changes.reshape(PLACES, PLACES).numpy()
    return saliency
