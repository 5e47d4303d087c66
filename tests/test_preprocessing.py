"""The frame stack by itself; whole games against gymnasium's are in test_environments.py."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from breakout_a3c.preprocessing import SIDE, STACK, FramePreprocessor

SCREEN = (210, 160)


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, SCREEN, dtype=np.uint8)


def shrunk(screen: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(screen, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def push(preprocessor: FramePreprocessor, previous: NDArray[np.uint8], last: NDArray[np.uint8]) -> None:
    preprocessor.previous_screen[...] = previous
    preprocessor.last_screen[...] = last
    preprocessor.push()


def test_a_frame_is_the_maximum_of_two_screens_made_small() -> None:
    preprocessor = FramePreprocessor(SCREEN)
    push(preprocessor, noise(1), noise(2))
    newest = preprocessor.observation()[..., -1]
    assert np.array_equal(newest, shrunk(np.maximum(noise(1), noise(2))))
    assert not np.array_equal(newest, shrunk(noise(2)))


def test_a_flickering_sprite_is_seen() -> None:
    preprocessor = FramePreprocessor(SCREEN)
    sprite = np.zeros(SCREEN, np.uint8)
    sprite[100:110, 80:90] = 255
    push(preprocessor, sprite, np.zeros_like(sprite))
    assert preprocessor.observation()[..., -1].max() == 255


def test_the_stack_is_oldest_first() -> None:
    preprocessor = FramePreprocessor(SCREEN)
    for level in (10, 20, 30, 40, 50, 60):
        push(preprocessor, np.full(SCREEN, level, np.uint8), np.full(SCREEN, level, np.uint8))
    observation = preprocessor.observation()
    assert observation.shape == (SIDE, SIDE, STACK) and observation.dtype == np.uint8
    assert [int(level) for level in observation[0, 0]] == [30, 40, 50, 60]
    assert (observation == observation[0, 0]).all()


def test_refill_gives_four_times_the_last_screen_alone() -> None:
    preprocessor = FramePreprocessor(SCREEN)
    push(preprocessor, noise(1), noise(2))
    preprocessor.previous_screen[...] = 255
    preprocessor.last_screen[...] = noise(3)
    preprocessor.refill()
    observation = preprocessor.observation()
    for frame in range(STACK):
        assert np.array_equal(observation[..., frame], shrunk(noise(3)))


def test_an_observation_is_a_copy_that_lies_channels_last() -> None:
    preprocessor = FramePreprocessor(SCREEN)
    push(preprocessor, noise(1), noise(1))
    first = preprocessor.observation()
    kept = first.copy()
    push(preprocessor, noise(2), noise(2))
    assert np.array_equal(first, kept)
    assert first.flags.c_contiguous and first.strides == (SIDE * STACK, STACK, 1)


@pytest.mark.parametrize("shape", [(210, 160), (250, 160), (214, 160)])
def test_every_screen_of_the_emulator_becomes_a_square(shape: tuple[int, int]) -> None:
    preprocessor = FramePreprocessor(shape)
    preprocessor.last_screen.fill(77)
    preprocessor.refill()
    assert (preprocessor.observation() == 77).all()
