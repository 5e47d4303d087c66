"""From raw screens to what the network sees (Mnih et al. 2015, methods, "Preprocessing")."""

import sys

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 84
STACK = 4

Screen = NDArray[np.uint8]
Observation = NDArray[np.uint8]

# A push shifts one word a pixel: the newest frame must be the last byte in memory.
assert sys.byteorder == "little", "the frame stack needs a little-endian machine"


class FramePreprocessor:
    """Turn two gray screens into one 84x84 frame, and the last four frames into an observation.

    The observation is ``(84, 84, 4)`` uint8, oldest frame first. It is kept as one uint32 a pixel:
    a shift by one byte drops the oldest frame and makes room for the newest, and a batch of them
    is channels-last in memory without a copy.

    Args:
        screen_shape: Height and width of the emulator's screen.
    """

    def __init__(self, screen_shape: tuple[int, int]) -> None:
        # Where the emulator writes the screens of a step's last two frames.
        self.last_screen: Screen = np.zeros(screen_shape, np.uint8)
        self.previous_screen: Screen = np.zeros(screen_shape, np.uint8)
        self._frame: Screen = np.zeros((SIDE, SIDE), np.uint8)
        self._stack = np.zeros((SIDE, SIDE), np.uint32)
        self._bytes: Observation = self._stack.view(np.uint8).reshape(SIDE, SIDE, STACK)

    def observation(self) -> Observation:
        """Return a copy of the stack, ``(84, 84, 4)``."""
        return self._bytes.copy()

    def push(self) -> None:
        """Add the frame of the two screens to the stack."""
        self._make_frame()
        np.right_shift(self._stack, 8, out=self._stack)
        self._bytes[..., -1] = self._frame

    def refill(self) -> None:
        """Begin a new stack: four times the frame of the last screen alone."""
        self.previous_screen.fill(0)
        self._make_frame()
        self._bytes[...] = self._frame[..., np.newaxis]

    def _make_frame(self) -> None:
        # The maximum of two screens shows sprites that are drawn on every other frame only.
        np.maximum(self.last_screen, self.previous_screen, out=self.last_screen)
        cv2.resize(self.last_screen, (SIDE, SIDE), dst=self._frame, interpolation=cv2.INTER_AREA)
