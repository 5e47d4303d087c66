"""Frames and stacks from screens; whole games against gymnasium's are in test_atari.py."""

import cv2
import numba
import numpy as np
import pytest

from breakout_a3c.games.preprocessing import LAST, PREVIOUS, SIDE, STACK, Bytes, FramePreprocessor, compiled

BREAKOUT = (210, 160)


class Console:
    """An emulator that shows what it is told, in a palette of its own: gray is not the colour's index."""

    def __init__(self, shape: tuple[int, int] = BREAKOUT) -> None:
        self.screen: Bytes = np.zeros(shape, np.uint8)
        self.times_asked_for_gray = 0

    def getScreenDims(self) -> tuple[int, int]:
        height, width = self.screen.shape
        return height, width

    def getScreen(self, out: Bytes) -> None:
        out[...] = self.screen

    def getScreenGrayscale(self, out: Bytes) -> None:
        self.times_asked_for_gray += 1
        out[...] = in_gray(self.screen)


class Preprocessor(FramePreprocessor):
    """One with its own console."""

    def __init__(self, shape: tuple[int, int] = BREAKOUT) -> None:
        self.console = Console(shape)
        super().__init__(self.console)


def in_gray(screen: Bytes) -> Bytes:
    return 255 - screen


def noise(seed: int, shape: tuple[int, int] = BREAKOUT) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def plain(colour: int) -> Bytes:
    return np.full(BREAKOUT, colour, np.uint8)


def shrunk(gray: Bytes) -> Bytes:
    return cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def push(preprocessor: Preprocessor, previous: Bytes, last: Bytes) -> Bytes:
    """Push the frame of two screens, and return what the papers say that it is."""
    for which, screen in ((PREVIOUS, previous), (LAST, last)):
        preprocessor.console.screen = screen
        preprocessor.see(which)
    preprocessor.push()
    return shrunk(np.maximum(in_gray(previous), in_gray(last)))


def refill(preprocessor: Preprocessor, last: Bytes) -> Bytes:
    preprocessor.console.screen = last
    preprocessor.see(LAST)
    preprocessor.refill()
    return shrunk(in_gray(last))


def newest(preprocessor: Preprocessor) -> Bytes:
    return preprocessor.observation()[..., -1]


def test_a_frame_is_the_maximum_of_two_screens_made_small() -> None:
    preprocessor = Preprocessor()
    expected = push(preprocessor, noise(1), noise(2))
    assert np.array_equal(newest(preprocessor), expected)
    assert not np.array_equal(expected, shrunk(in_gray(noise(2))))


def test_a_flickering_sprite_is_seen() -> None:
    preprocessor, sprite = Preprocessor(), plain(255)
    sprite[100:110, 80:90] = 55
    push(preprocessor, sprite, plain(255))
    assert newest(preprocessor).max() == 200
    push(preprocessor, plain(255), sprite)
    assert newest(preprocessor).max() == 200
    push(preprocessor, plain(255), plain(255))
    assert newest(preprocessor).max() == 0


def test_the_stack_is_oldest_first() -> None:
    preprocessor = Preprocessor()
    for colour in range(6):
        push(preprocessor, plain(colour), plain(colour))
    observation = preprocessor.observation()
    assert observation.shape == (SIDE, SIDE, STACK)
    assert observation.dtype == np.uint8
    assert observation[0, 0].tolist() == [253, 252, 251, 250]
    assert (observation == observation[0, 0]).all()


def test_refill_gives_four_times_the_last_screen_alone() -> None:
    preprocessor = Preprocessor()
    push(preprocessor, noise(1), noise(2))
    expected = refill(preprocessor, noise(3))
    assert all(np.array_equal(preprocessor.observation()[..., frame], expected) for frame in range(STACK))


def test_an_observation_is_a_copy_that_lies_channels_last() -> None:
    preprocessor = Preprocessor()
    push(preprocessor, noise(1), noise(1))
    first = preprocessor.observation()
    kept = first.copy()
    push(preprocessor, noise(2), noise(2))
    assert np.array_equal(first, kept)
    assert first.strides == (SIDE * STACK, STACK, 1)


@pytest.mark.parametrize("shape", [(210, 160), (250, 160), (214, 160)])
def test_small_changes_give_the_frames_of_whole_screens(shape: tuple[int, int]) -> None:
    """Only what changed is shrunk again: nothing of it may go missing."""
    preprocessor, generator = Preprocessor(shape), np.random.default_rng(0)
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
    preprocessor = Preprocessor()
    push(preprocessor, noise(1), noise(2))
    refill(preprocessor, noise(2))
    expected = push(preprocessor, noise(1), noise(2))
    assert np.array_equal(newest(preprocessor), expected)


def test_the_emulators_own_gray_is_asked_for_only_when_a_colour_is_new() -> None:
    """It costs ten times the screen in colours; and a colour may show in one frame, and never again."""
    preprocessor = Preprocessor()
    for step, colour in enumerate([7, 7, 9, 7, 9, 255, 0, 7]):
        screen = plain(7)
        screen[step * 10, step * 10] = colour
        expected = push(preprocessor, screen, plain(7))
        assert np.array_equal(newest(preprocessor), expected)
    assert preprocessor.console.times_asked_for_gray == len({7, 9, 255, 0})


@pytest.mark.parametrize("writable", [True, False])
def test_loops_are_compiled_with_and_without_a_folder_to_keep_them_in(
    writable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    njit = numba.njit

    def without_a_folder(signature: str, nogil: bool, cache: bool = False) -> object:
        if cache and not writable:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(signature, nogil=nogil, cache=cache)

    monkeypatch.setattr(numba, "njit", without_a_folder)

    @compiled("i8(i8)")
    def twice(number: int) -> int:
        return 2 * number

    assert twice(21) == 42
