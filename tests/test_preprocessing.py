"""Frames and stacks from screens; whole games against gymnasium's are in test_environments.py."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from breakout_a3c.preprocessing import SIDE, STACK, Bytes, FramePreprocessor

BREAKOUT = (210, 160)
PALETTE = np.random.default_rng(0).integers(0, 255, 256).astype(np.uint8)
PALETTE_WITH_WHITE = np.where(np.arange(256) == 7, 255, PALETTE).astype(np.uint8)


class FakeEmulator:
    """Shows a screen of palette indices."""

    def __init__(self, palette: Bytes = PALETTE) -> None:
        self.palette = palette

    def show(self, screen: Bytes) -> "FakeEmulator":
        self.screen = screen
        return self

    def getScreen(self, out: Bytes) -> None:
        out[...] = self.screen

    def getScreenGrayscale(self, out: Bytes) -> None:
        out[...] = self.palette[self.screen]


def noise(seed: int, shape: tuple[int, int] = BREAKOUT) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def plain(colour: int) -> Bytes:
    return np.full(BREAKOUT, colour, np.uint8)


def shrunk(gray: NDArray[np.uint8]) -> Bytes:
    return cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def push(preprocessor: FramePreprocessor, previous: Bytes, last: Bytes, palette: Bytes = PALETTE) -> Bytes:
    """Push the frame of two screens, and return what the papers say that it is."""
    emulator = FakeEmulator(palette)
    preprocessor.previous_screen.capture(emulator.show(previous))
    preprocessor.last_screen.capture(emulator.show(last))
    preprocessor.push()
    return shrunk(np.maximum(palette[previous], palette[last]))


def refill(preprocessor: FramePreprocessor, last: Bytes) -> Bytes:
    preprocessor.last_screen.capture(FakeEmulator().show(last))
    preprocessor.refill()
    return shrunk(PALETTE[last])


def newest(preprocessor: FramePreprocessor) -> Bytes:
    return preprocessor.observation()[..., -1]


def test_a_frame_is_the_maximum_of_two_screens_made_small() -> None:
    preprocessor = FramePreprocessor(BREAKOUT)
    expected = push(preprocessor, noise(1), noise(2))
    assert np.array_equal(newest(preprocessor), expected)
    assert not np.array_equal(expected, shrunk(PALETTE[noise(2)]))


def test_a_flickering_sprite_is_seen() -> None:
    colours = np.arange(256, dtype=np.uint8)
    preprocessor, sprite = FramePreprocessor(BREAKOUT), plain(0)
    sprite[100:110, 80:90] = 200
    push(preprocessor, sprite, plain(0), colours)
    assert newest(preprocessor).max() == 200
    push(preprocessor, plain(0), sprite, colours)
    assert newest(preprocessor).max() == 200
    push(preprocessor, plain(0), plain(0), colours)
    assert newest(preprocessor).max() == 0


def test_the_stack_is_oldest_first() -> None:
    preprocessor = FramePreprocessor(BREAKOUT)
    for colour in range(6):
        push(preprocessor, plain(colour), plain(colour))
    observation = preprocessor.observation()
    assert observation.shape == (SIDE, SIDE, STACK)
    assert observation.dtype == np.uint8
    assert observation[0, 0].tolist() == PALETTE[2:6].tolist()
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
@pytest.mark.parametrize("palette", [PALETTE, PALETTE_WITH_WHITE], ids=["no white", "white"])
def test_small_changes_give_the_frames_of_whole_screens(shape: tuple[int, int], palette: Bytes) -> None:
    """Only what changed is shrunk again: nothing of it may go missing, nor a colour that is new."""
    preprocessor, generator = FramePreprocessor(shape), np.random.default_rng(0)
    previous = last = np.zeros(shape, np.uint8)
    for step in range(150):
        previous, last = last.copy(), last.copy()
        for screen in (previous, last):
            for _ in range(generator.integers(3)):  # none, one or two rectangles
                top, left = generator.integers(shape)
                screen[top : top + generator.integers(1, 40), left : left + 9] = generator.integers(step + 1)
        expected = push(preprocessor, previous, last, palette)
        assert np.array_equal(newest(preprocessor), expected), f"after {step} steps"


def test_frames_are_right_after_a_refill() -> None:
    preprocessor = FramePreprocessor(BREAKOUT)
    push(preprocessor, noise(1), noise(2))
    refill(preprocessor, noise(2))
    expected = push(preprocessor, noise(1), noise(2))
    assert np.array_equal(newest(preprocessor), expected)


def test_a_screen_may_be_captured_again_before_its_frame() -> None:
    """The frame of a lost life: its last screen is captured, and once more after FIRE."""
    preprocessor = FramePreprocessor(BREAKOUT)
    for _ in range(2):
        push(preprocessor, plain(1), plain(1))
    changed = plain(1)
    changed[100:120] = int(PALETTE.argmax())
    for _ in range(2):
        preprocessor.last_screen.capture(FakeEmulator().show(changed))
    preprocessor.push()
    assert np.array_equal(newest(preprocessor), shrunk(np.maximum(PALETTE[plain(1)], PALETTE[changed])))
