"""Frames and stacks from screens; whole games against gymnasium's are in test_environments.py."""

import cv2
import numpy as np
import pytest

from breakout_a3c.preprocessing import SIDE, STACK, Bytes, FramePreprocessor

BREAKOUT = (210, 160)


def noise(seed: int, shape: tuple[int, int] = BREAKOUT) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def plain(colour: int) -> Bytes:
    return np.full(BREAKOUT, colour, np.uint8)


def shrunk(gray: Bytes) -> Bytes:
    return cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def push(preprocessor: FramePreprocessor, previous: Bytes, last: Bytes) -> Bytes:
    """Push the frame of two screens, and return what the papers say that it is."""
    preprocessor.previous_screen[...] = previous
    preprocessor.last_screen[...] = last
    preprocessor.push()
    return shrunk(np.maximum(previous, last))


def refill(preprocessor: FramePreprocessor, last: Bytes) -> Bytes:
    preprocessor.last_screen[...] = last
    preprocessor.refill()
    return shrunk(last)


def newest(preprocessor: FramePreprocessor) -> Bytes:
    return preprocessor.observation()[..., -1]


def test_a_frame_is_the_maximum_of_two_screens_made_small() -> None:
    preprocessor = FramePreprocessor(BREAKOUT)
    expected = push(preprocessor, noise(1), noise(2))
    assert np.array_equal(newest(preprocessor), expected)
    assert not np.array_equal(expected, shrunk(noise(2)))


def test_a_flickering_sprite_is_seen() -> None:
    preprocessor, sprite = FramePreprocessor(BREAKOUT), plain(0)
    sprite[100:110, 80:90] = 200
    push(preprocessor, sprite, plain(0))
    assert newest(preprocessor).max() == 200
    push(preprocessor, plain(0), sprite)
    assert newest(preprocessor).max() == 200
    push(preprocessor, plain(0), plain(0))
    assert newest(preprocessor).max() == 0


def test_the_stack_is_oldest_first() -> None:
    preprocessor = FramePreprocessor(BREAKOUT)
    for colour in range(6):
        push(preprocessor, plain(colour), plain(colour))
    observation = preprocessor.observation()
    assert observation.shape == (SIDE, SIDE, STACK)
    assert observation.dtype == np.uint8
    assert observation[0, 0].tolist() == [2, 3, 4, 5]
    assert (observation == observation[0, 0]).all()


def test_refill_gives_four_times_the_last_screen_alone() -> None:
    preprocessor = FramePreprocessor(BREAKOUT)
    push(preprocessor, noise(1), noise(2))
    expected = refill(preprocessor, noise(3))
    assert all(np.array_equal(preprocessor.observation()[..., frame], expected) for frame in range(STACK))


def test_an_observation_is_a_copy_that_lies_channels_last() -> None:
    preprocessor = FramePreprocessor(BREAKOUT)
    push(preprocessor, noise(1), noise(1))
    first = preprocessor.observation()
    kept = first.copy()
    push(preprocessor, noise(2), noise(2))
    assert np.array_equal(first, kept)
    assert first.strides == (SIDE * STACK, STACK, 1)


@pytest.mark.parametrize("shape", [(210, 160), (250, 160), (214, 160)])
def test_small_changes_give_the_frames_of_whole_screens(shape: tuple[int, int]) -> None:
    """Only what changed is shrunk again: nothing of it may go missing."""
    preprocessor, generator = FramePreprocessor(shape), np.random.default_rng(0)
    previous = last = np.zeros(shape, np.uint8)
    for step in range(150):
        previous, last = last.copy(), last.copy()
        for screen in (previous, last):
            for _ in range(generator.integers(3)):  # none, one or two rectangles
                top, left = generator.integers(shape)
                screen[top : top + generator.integers(1, 40), left : left + 9] = generator.integers(step + 1)
        expected = push(preprocessor, previous, last)
        assert np.array_equal(newest(preprocessor), expected), f"after {step} steps"


def test_frames_are_right_after_a_refill() -> None:
    preprocessor = FramePreprocessor(BREAKOUT)
    push(preprocessor, noise(1), noise(2))
    refill(preprocessor, noise(2))
    expected = push(preprocessor, noise(1), noise(2))
    assert np.array_equal(newest(preprocessor), expected)
