"""From raw screens to what the network sees (Mnih et al. 2015, methods, "Preprocessing").

Most of a screen stands still from one step to the next, so that only the bands of rows that changed
are turned to gray and shrunk again: the same bytes as from whole screens in a fraction of the time.
The loops over pixels are compiled by numba.
"""

import sys
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from breakout_a3c.interrupts import interrupts_delayed

SIDE = 84
STACK = 4
# Five rows of 210 become exactly two of 84, so that a band is shrunk as if it were a whole screen.
BANDED_HEIGHT, BANDS = 210, 42
PREVIOUS, LAST = 0, 1  # the two screens of a frame
UNKNOWN = -1
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Words = NDArray[np.uint32]
LongWords = NDArray[np.uint64]
P = ParamSpec("P")
R = TypeVar("R")

# A push shifts one word a pixel: the newest frame must be the last byte in memory.
assert sys.byteorder == "little", "the frame stack needs a little-endian machine"


class Emulator(Protocol):
    """The part of ``ALEInterface`` that shows its screen."""

    def getScreenDims(self) -> tuple[int, int]:
        """Return height and width."""

    def getScreen(self, out: Bytes) -> object:
        """Write the screen as indices into the palette: 1 us."""

    def getScreenGrayscale(self, out: Bytes) -> object:
        """Write the screen in gray: 13 us."""


class FramePreprocessor:
    """Turn the last two screens into one 84x84 frame, and the last four frames into an observation.

    The observation is ``(84, 84, 4)`` uint8, oldest frame first. It is kept as one uint32 a pixel:
    a shift by one byte drops the oldest frame and makes room for the newest, and a batch of them
    is channels-last in memory without a copy.

    Args:
        emulator: What shows the screens.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        height, self._width = emulator.getScreenDims()
        bands = BANDS if height == BANDED_HEIGHT else 1
        shape = (bands, height * self._width // bands)
        self._screen: Bytes = np.empty((height, self._width), np.uint8)
        self._gray_of_colour = np.full(256, UNKNOWN, np.int16)  # learned, as a console's palette can be one of three
        self._changed: Flags = np.ones(bands, np.bool_)
        self._gray: Bytes = np.zeros((2, *shape), np.uint8)
        self._stale: Flags = np.ones((2, bands), np.bool_)
        seen: Bytes = np.zeros((2, *shape), np.uint8)
        # Views for each of the two screens, by bands and rows, made once.
        screen, seen, gray = (
            each.reshape(-1, bands, height // bands, self._width) for each in (self._screen, seen, self._gray)
        )
        words, seen_words = screen.view(np.uint64), seen.view(np.uint64)
        self._update_arguments = [
            (screen[0], words[0], seen[i], seen_words[i], self._stale[i], self._gray_of_colour, gray[i], self._changed)
            for i in (PREVIOUS, LAST)
        ]
        self._pixels: Bytes = np.empty(shape, np.uint8)
        self._shrunk: Bytes = np.empty((SIDE, SIDE), np.uint8)
        self._frame: Bytes = np.zeros((SIDE, SIDE), np.uint8)
        self._stack: Words = np.zeros((SIDE, SIDE), np.uint32)
        self._observation: Bytes = self._stack.view(np.uint8).reshape(SIDE, SIDE, STACK)

    def observation(self) -> Bytes:
        """Return a copy of the stack, ``(84, 84, 4)``."""
        return self._observation.copy()

    def see(self, which: int) -> None:
        """Take the emulator's screen as the ``PREVIOUS`` or the ``LAST`` one of the next frame."""
        self._emulator.getScreen(self._screen)
        while not update_gray(*self._update_arguments[which]):
            gray = np.empty_like(self._screen)
            self._emulator.getScreenGrayscale(gray)
            self._gray_of_colour[self._screen] = gray

    def push(self) -> None:
        """Add the frame of the two screens to the stack."""
        self._update_frame()
        push_frame(self._frame, self._stack)

    def restore(self, observation: Bytes) -> None:
        """Go on from a stack that ``observation`` returned; the next frame is made from whole screens."""
        self._observation[...] = observation
        self._stale[:] = self._changed[:] = True

    def refill(self) -> None:
        """Begin a new stack: four times the frame of the last screen alone."""
        self._gray[PREVIOUS] = 0
        self._stale[PREVIOUS] = self._changed[:] = True
        self._update_frame()
        self._observation[...] = self._frame[..., np.newaxis]

    def _update_frame(self) -> None:
        """Shrink the bands that changed."""
        changed = gather_changed(self._gray, self._changed, self._pixels)
        if not changed:
            return
        rows = SIDE * changed // len(self._changed)
        pixels = self._pixels[:changed].reshape(-1, self._width)
        cv2.resize(pixels, (SIDE, rows), dst=self._shrunk[:rows], interpolation=cv2.INTER_AREA)
        scatter_changed(self._shrunk, self._changed, self._frame)


def compiled(*signatures: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a function at import, before processes are forked; it is kept on disk where that is possible.

    A Ctrl-C waits meanwhile: numba's compiler calls Python from C, where an exception is ignored.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        with interrupts_delayed():
            try:
                return numba.njit(list(signatures), cache=True, nogil=True)(function)
            except RuntimeError:  # no folder for it that can be written
                return numba.njit(list(signatures), nogil=True)(function)

    return decorate


@compiled("b1(u1[:,:,::1], u8[:,:,::1], u1[:,:,::1], u8[:,:,::1], b1[::1], i2[::1], u1[:,:,::1], b1[::1])")
def update_gray(
    screen: Bytes,
    words: LongWords,
    seen: Bytes,
    seen_words: LongWords,
    stale: Flags,
    gray_of_colour: NDArray[np.int16],
    gray: Bytes,
    changed: Flags,
) -> bool:
    """Turn those rows of ``screen`` to gray that differ from ``seen``, and flag their bands as changed.

    Args:
        screen: ``(bands, rows, pixels)`` palette indices.
        words: The same, eight pixels a word, which are compared at once.
        seen: What ``gray`` was made from; it becomes a copy of ``screen``.
        seen_words: The same.
        stale: Bands to turn to gray in any case.
        gray_of_colour: ``(256,)``.
        gray: ``(bands, rows, pixels)``, written where changed.
        changed: ``(bands,)``, set where changed.

    Returns:
        False as soon as a colour is unknown; call it again when the colour has been learned.
    """
    bands, rows, pixels = screen.shape
    for band in range(bands):
        for row in range(rows):
            difference = np.uint64(0)
            for word in range(words.shape[2]):
                difference |= words[band, row, word] ^ seen_words[band, row, word]
            if difference or stale[band]:
                changed[band] = True
                for pixel in range(pixels):
                    colour = screen[band, row, pixel]
                    value = gray_of_colour[colour]
                    if value == UNKNOWN:
                        return False
                    seen[band, row, pixel] = colour
                    gray[band, row, pixel] = value
        stale[band] = False
    return True


@compiled("i8(u1[:,:,::1], b1[::1], u1[:,::1])")
def gather_changed(gray: Bytes, changed: Flags, pixels: Bytes) -> int:
    """Write the maximum of both screens' changed bands one after the other; return how many there are.

    The maximum shows sprites that are drawn on every other screen only.
    """
    count = 0
    for band in range(len(changed)):
        if changed[band]:
            for pixel in range(pixels.shape[1]):
                pixels[count, pixel] = max(gray[0, band, pixel], gray[1, band, pixel])
            count += 1
    return count


@compiled("void(u1[:,::1], b1[::1], u1[:,::1])")
def scatter_changed(shrunk: Bytes, changed: Flags, frame: Bytes) -> None:
    """Write the shrunk bands where they belong in the frame, and clear their flags."""
    rows = len(frame) // len(changed)
    row = 0
    for band in range(len(changed)):
        if changed[band]:
            frame[band * rows : (band + 1) * rows] = shrunk[row : row + rows]
            row += rows
            changed[band] = False


@compiled("void(u1[:,::1], u4[:,::1])")
def push_frame(frame: Bytes, stack: Words) -> None:
    """Shift the oldest frame out of the stack and the newest in."""
    for y in range(SIDE):
        for x in range(SIDE):
            stack[y, x] = (stack[y, x] >> np.uint32(8)) | (np.uint32(frame[y, x]) << np.uint32(24))
