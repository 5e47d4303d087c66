"""Shows games on a display at their own speed: one loop for the window and for the page."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.recording import RecordingOnDemand
from breakout_a3c.playing.scene import Scene


class Display(Protocol):
    """A window or a page, as the loop needs it."""

    def draw(self, scene: Scene) -> None:
        """Show a scene; a display may leave out scenes that come too fast for it."""

    def wait(self, seconds: float) -> None:
        """Sleep until the next scene is due, ``seconds`` after this one."""

    def handle_input(self) -> None:
        """Set the controls by the keys that the viewer pressed since the last call."""


class Pacer:
    """Sleeps until each scene is due.

    Args:
        clock: Returns the time in seconds.
        sleep: Sleeps for a number of seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.clock = clock
        self._sleep = sleep
        self._due = clock()

    def wait(self, seconds: float, max_late_seconds: float) -> None:
        """Sleep until ``seconds`` after the last scene was due.

        Args:
            seconds: Between two scenes.
            max_late_seconds: How much lateness later scenes make good by coming sooner.
        """
        now = self.clock()
        self._due = max(self._due + seconds, now - max_late_seconds)
        self._sleep(max(0.0, self._due - now))


def show_game(
    display: Display,
    scenes: Iterator[Scene],
    frames_per_second: int,
    controls: Controls,
    recordings: RecordingOnDemand,
) -> bool:
    """Show one game until it is over or the viewer ends it.

    Args:
        display: Where it is shown.
        scenes: One a frame of the game.
        frames_per_second: The game's own speed.
        controls: Set by the viewer.
        recordings: Record the scenes while the viewer wants that.

    Returns:
        Whether another game may be shown: the viewer has not quit.
    """
    controls.next_game = False
    scenes = recordings.watch(scenes, frames_per_second)
    seconds = 1 / frames_per_second
    scene = next(scenes, None)
    while scene is not None and not controls.closed and not controls.next_game:
        display.draw(replace(scene, speed=controls.speed_text(), footer=recordings.notice()))
        display.wait(seconds)
        display.handle_input()
        scene = controls.advance(scenes, scene, seconds)
    return not controls.closed
