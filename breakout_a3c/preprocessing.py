"""From raw screens to what the network sees (Mnih et al. 2015, methods, "Preprocessing").

Most of a screen stands still from one step to the next, so that only the bands of rows that changed
are turned to gray and shrunk again: the same bytes as from whole screens in 40% of the time.
"""

import sys

import ale_py
import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 84
STACK = 4
# Five rows of 210 become exactly two of 84, so that a band is shrunk as if it were a whole screen.
BANDED_HEIGHT, BANDS = 210, 42
UNKNOWN_GRAY = 255

Bytes = NDArray[np.uint8]

# A push shifts one word a pixel: the newest frame must be the last byte in memory.
assert sys.byteorder == "little", "the frame stack needs a little-endian machine"


class GrayScreen:
    """The emulator's screen in gray, kept up to date band by band.

    The emulator gives palette indices in 1 us and gray in 13; the palette is learned from it as
    colours appear. (A palette with a gray of 255 would be asked for again and again: slower, but
    right.)

    Args:
        height: Rows of the screen.
        width: Columns of the screen.
        bands: Into how many bands of rows it is cut.
    """

    def __init__(self, height: int, width: int, bands: int) -> None:
        self.gray: Bytes = np.zeros((bands, height * width // bands), np.uint8)
        self.changed = np.ones(bands, np.bool_)
        self._indices = np.zeros((height, width), np.uint8)
        self._banded = self._indices.reshape(bands, -1)
        self._words = self._banded.view(np.uint64)
        self._previous_words = ~self._words
        self._palette = np.full(256, UNKNOWN_GRAY, np.uint8)

    def capture(self, ale: ale_py.ALEInterface) -> None:
        """Read the emulator's screen, and note in ``changed`` which bands differ from the last."""
        ale.getScreen(self._indices)
        self.changed = (self._words != self._previous_words).any(axis=1)
        bands = self.changed.nonzero()[0]
        if not len(bands):
            return
        self._previous_words[bands] = self._words[bands]
        gray = cv2.LUT(self._banded[bands], self._palette)
        if gray.max() == UNKNOWN_GRAY:
            ale.getScreenGrayscale(self.gray.reshape(self._indices.shape))
            self._palette[self._banded] = self.gray
        else:
            self.gray[bands] = gray


class FramePreprocessor:
    """Turn the last two screens into one 84x84 frame, and the last four frames into an observation.

    The observation is ``(84, 84, 4)`` uint8, oldest frame first. It is kept as one uint32 a pixel:
    a shift by one byte drops the oldest frame and makes room for the newest, and a batch of them
    is channels-last in memory without a copy.

    Args:
        screen_shape: Height and width of the emulator's screen.
    """

    def __init__(self, screen_shape: tuple[int, int]) -> None:
        height, width = screen_shape
        bands = BANDS if height == BANDED_HEIGHT else 1
        # The screens of a step's last frame and of the one before.
        self.last_screen = GrayScreen(height, width, bands)
        self.previous_screen = GrayScreen(height, width, bands)
        self._width = width
        self._frame: Bytes = np.zeros((SIDE, SIDE), np.uint8)
        self._banded_frame = self._frame.reshape(bands, -1)
        self._frame_is_of_both = False
        self._stack = np.zeros((SIDE, SIDE), np.uint32)
        self._observation: Bytes = self._stack.view(np.uint8).reshape(SIDE, SIDE, STACK)

    def observation(self) -> Bytes:
        """Return a copy of the stack, ``(84, 84, 4)``."""
        return self._observation.copy()

    def push(self) -> None:
        """Add the frame of the two screens, captured before, to the stack."""
        self._update_frame()
        np.right_shift(self._stack, 8, out=self._stack)
        self._observation[..., -1] = self._frame

    def refill(self) -> None:
        """Begin a new stack: four times the frame of the last screen alone."""
        self._banded_frame[:] = self._shrink(self.last_screen.gray)
        self._frame_is_of_both = False
        self._observation[...] = self._frame[..., np.newaxis]

    def _update_frame(self) -> None:
        """Shrink the pixelwise maximum of the screens, which shows sprites that flicker."""
        last, previous = self.last_screen, self.previous_screen
        if self._frame_is_of_both:
            bands = (last.changed | previous.changed).nonzero()[0]
            if len(bands):
                self._banded_frame[bands] = self._shrink(np.maximum(last.gray[bands], previous.gray[bands]))
        else:
            self._banded_frame[:] = self._shrink(np.maximum(last.gray, previous.gray))
            self._frame_is_of_both = True

    def _shrink(self, bands: Bytes) -> Bytes:
        """Resize bands of rows ``(n, rows * width)`` to ``(n, rows * 84)``, n of 84's share of rows."""
        count = len(bands)
        rows = SIDE * count // len(self._banded_frame)
        image = bands.reshape(-1, self._width)
        shrunk = cv2.resize(image, (SIDE, rows), interpolation=cv2.INTER_AREA).reshape(count, -1)
        return shrunk.astype(np.uint8, copy=False)
