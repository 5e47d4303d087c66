"""The map has its peak at the place that the policy depends on."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.playing import saliency as saliency_module
from breakout_a3c.playing.saliency import PLACES, SPACING, changed_places, place_masks, policy_saliency


class OnePixel:
    """A policy that depends on the newest frame at one place only."""

    def __init__(self, row: int, column: int) -> None:
        self._place = row, column

    def policy_trunk(self, observations: Tensor) -> list[Tensor]:
        return [observations[:, self._place[0], self._place[1], -1:].float()]

    def first_lstm_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, 0)

    def logits(self, features: Tensor, lstm_state: Tensor) -> Tensor:
        return torch.cat((features, -features), dim=1)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (84, 84, 4), np.uint8)


@pytest.mark.parametrize(("row", "column"), [(2, 80), (40, 41), (83, 0)])
def test_the_peak_is_where_the_policy_looks(row: int, column: int) -> None:
    saliency = policy_saliency(OnePixel(row, column), noise())  # type: ignore[arg-type]
    assert saliency.shape == (PLACES, PLACES)
    assert np.unravel_index(saliency.argmax(), saliency.shape) == (row // SPACING, column // SPACING)


def test_a_picture_that_a_blur_does_not_change_has_no_salient_place() -> None:
    saliency = policy_saliency(OnePixel(10, 10), np.full((84, 84, 4), 77, np.uint8))  # type: ignore[arg-type]
    assert saliency.max() == pytest.approx(0, abs=1e-6)


def test_by_hand() -> None:
    """Equation 2 for one place: half the squared distance of the logits."""
    observation, row, column = noise(), 27, 33
    saliency = policy_saliency(OnePixel(row, column), observation)  # type: ignore[arg-type]
    blurred = cv2.GaussianBlur(observation.astype(np.float32), (0, 0), 3.0)
    index = (row // SPACING) * PLACES + column // SPACING
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


@pytest.mark.parametrize("network", ["paper", "nature", "lstm"])
@pytest.mark.parametrize("mirrored_actions", [None, (0, 2, 1)], ids=["plain", "symmetric"])
def test_patches_change_the_policy_as_whole_screens_do(
    network: str, mirrored_actions: tuple[int, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    background = torch.full((84, 84), 40, dtype=torch.uint8)
    actor_critic = ActorCritic(network, (84, 84, 4), 3, mirrored_actions=mirrored_actions, background=background)
    state = None if actor_critic.memory is None else torch.randn(actor_critic.memory.state_size)
    by_patches = policy_saliency(actor_critic, noise(), state)
    monkeypatch.setattr(saliency_module, "ConvTrunk", int)  # which no trunk is
    by_screens = policy_saliency(actor_critic, noise(), state)
    np.testing.assert_allclose(by_patches, by_screens, rtol=1e-3, atol=1e-6 * by_screens.max())


def test_a_place_that_a_blur_does_not_change_is_not_computed() -> None:
    half = noise()
    half[:, 42:] = 0
    difference = cv2.GaussianBlur(half.astype(np.float32), (0, 0), 3.0) - half
    places = changed_places(difference)
    changes = np.abs(place_masks() * difference).max(axis=(1, 2, 3))
    assert set(places) == set(np.flatnonzero(changes > 0.5))
    assert 0 < len(places) < PLACES**2
