"""The map has its peak at the place that the policy depends on."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.playing.saliency import PLACES, STRIDE, place_masks, policy_saliency


class OnePixel(nn.Module):
    """A policy that depends on the newest frame at one place only."""

    def __init__(self, row: int, column: int) -> None:
        super().__init__()
        self._place = row, column

    def forward(self, observations: Tensor, lstm_state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        seen = observations[:, self._place[0], self._place[1], -1].float()
        return torch.stack((seen, -seen), dim=1), seen


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (84, 84, 4), np.uint8)


@pytest.mark.parametrize(("row", "column"), [(2, 80), (40, 41), (83, 0)])
def test_the_peak_is_where_the_policy_looks(row: int, column: int) -> None:
    saliency = policy_saliency(OnePixel(row, column), noise())  # type: ignore[arg-type]
    assert saliency.shape == (PLACES, PLACES)
    assert np.unravel_index(saliency.argmax(), saliency.shape) == (row // STRIDE, column // STRIDE)


def test_a_picture_that_a_blur_does_not_change_has_no_salient_place() -> None:
    saliency = policy_saliency(OnePixel(10, 10), np.full((84, 84, 4), 77, np.uint8))  # type: ignore[arg-type]
    assert saliency.max() == pytest.approx(0, abs=1e-6)


def test_by_hand() -> None:
    """Equation 2 for one place: half the squared distance of the logits."""
    import cv2

    observation, row, column = noise(), 27, 33
    saliency = policy_saliency(OnePixel(row, column), observation)  # type: ignore[arg-type]
    blurred = cv2.GaussianBlur(observation.astype(np.float32), (0, 0), 3.0)
    index = (row // STRIDE) * PLACES + column // STRIDE
    change = place_masks()[index, row, column, 0] * (blurred[row, column, -1] - observation[row, column, -1])
    assert saliency.flatten()[index] == pytest.approx(change**2, rel=1e-3)  # two logits of +- the pixel


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_a_real_network_has_a_map(precision: torch.dtype) -> None:
    torch.manual_seed(0)
    network = ActorCritic("paper", (84, 84, 4), 3)
    network.trunks.to(precision)
    saliency = policy_saliency(network, noise())
    assert np.isfinite(saliency).all()
    assert (saliency >= 0).all()
    assert saliency.any()
