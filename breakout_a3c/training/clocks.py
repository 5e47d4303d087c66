"""A clock for what is due, and a speedometer of the training."""

import time
from collections import deque

from breakout_a3c.learning.shared_parameters import SharedParameters

SPEED_WINDOW = 30  # notes


class Clock:
    """Measures a period, again and again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.due_in(seconds)

    def due(self) -> bool:
        """Return whether the period has passed, and if so begin the next."""
        passed = time.monotonic() >= self._due_at
        if passed:
            self.due_in(self._seconds)
        return passed

    def due_in(self, seconds: float) -> None:
        """End the present period in this many seconds."""
        self._due_at = time.monotonic() + seconds


class Speedometer:
    """Measures the speed over the last ``SPEED_WINDOW`` notes."""

    def __init__(self, shared: SharedParameters) -> None:
        self._shared = shared
        self._notes: deque[tuple[float, int, int]] = deque(maxlen=SPEED_WINDOW)
        self.note()

    def note(self) -> None:
        """Record the present counters."""
        self._notes.append((time.monotonic(), self._shared.total_steps(), self._shared.total_updates()))

    def rates(self) -> tuple[float, float]:
        """Return agent steps and updates per second since the oldest note."""
        began, steps, updates = self._notes[0]
        seconds = max(time.monotonic() - began, 1e-9)
        return (self._shared.total_steps() - steps) / seconds, (self._shared.total_updates() - updates) / seconds
