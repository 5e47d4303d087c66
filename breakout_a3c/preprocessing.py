"""From raw screens to what the network sees (Mnih et al. 2015, methods, "Preprocessing").

Most of a screen stands still from one step to the next, so that only the bands of rows that changed
are shrunk again: the same bytes as from whole screens in a fraction of the time.
"""

import sys

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 84
STACK = 4
# Five rows of 210 become exactly two of 84, so that a band is shrunk as if it were a whole screen.
BANDED_HEIGHT, BANDS = 210, 42

Bytes = NDArray[np.uint8]

# A push shifts one word a pixel: the newest frame must be the last byte in memory.
assert sys.byteorder == "little", "the frame stack needs a little-endian machine"


class FramePreprocessor:
    """Turn the last two screens into one 84x84 frame, and the last four frames into an observation.

    The observation is ``(84, 84, 4)`` uint8, oldest frame first. It is kept as one uint32 a pixel:
    a shift by one byte drops the oldest frame and makes room for the newest, and a batch of them
    is channels-last in memory without a copy.

    Args:
        screen_shape: Height and width of the emulator's screen.
    """

    def __init__(self, screen_shape: tuple[int, int]) -> None:
        bands = BANDS if screen_shape[0] == BANDED_HEIGHT else 1
        # Where the emulator writes the gray screens of a step's last frame and of the one before.
        self.last_screen: Bytes = np.zeros(screen_shape, np.uint8)
        self.previous_screen: Bytes = np.zeros(screen_shape, np.uint8)
        self._width = screen_shape[1]
        self._frame: Bytes = np.zeros((SIDE, SIDE), np.uint8)
        self._frame_bands = self._frame.reshape(bands, -1)
        # What the frame was made from, compared eight pixels at once.
        self._screen_words = self.last_screen.reshape(bands, -1).view(np.uint64)
        self._shrunk_words = ~self._screen_words
        self._stack = np.zeros((SIDE, SIDE), np.uint32)
        self._observation: Bytes = self._stack.view(np.uint8).reshape(SIDE, SIDE, STACK)

    def observation(self) -> Bytes:
        """Return a copy of the stack, ``(84, 84, 4)``."""
        return self._observation.copy()

    def push(self) -> None:
        """Add the frame of the two screens to the stack."""
        # The maximum of two screens shows sprites that are drawn on every other frame only.
        np.maximum(self.last_screen, self.previous_screen, out=self.last_screen)
        self._update_frame()
        np.right_shift(self._stack, 8, out=self._stack)
        self._observation[..., -1] = self._frame

    def refill(self) -> None:
        """Begin a new stack: four times the frame of the last screen alone."""
        self.previous_screen.fill(0)
        self._update_frame()
        self._observation[...] = self._frame[..., np.newaxis]

    def _update_frame(self) -> None:
        """Shrink the bands of the last screen that are not what the frame was made from."""
        changed = (self._screen_words != self._shrunk_words).any(axis=1).nonzero()[0]
        if not len(changed):
            return
        words = self._screen_words[changed]
        self._shrunk_words[changed] = words
        rows = SIDE * len(changed) // len(self._frame_bands)
        pixels = words.view(np.uint8).reshape(-1, self._width)
        shrunk = cv2.resize(pixels, (SIDE, rows), interpolation=cv2.INTER_AREA)
        self._frame_bands[changed] = shrunk.reshape(len(changed), -1)
