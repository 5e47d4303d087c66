"""A window that shows games at their own speed, or as fast as they go."""

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType

import pygame

from breakout_a3c.drawing import PICTURE_HEIGHT, Scene, draw
from breakout_a3c.errors import UserError

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, math.inf)
NORMAL_SPEED = SPEEDS.index(1.0)
KEYS = ("space: pause, up and down: speed", "n: next game, q: quit")
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
INVISIBLE_DRIVERS = ("dummy", "offscreen")


class Window:
    """The window and what its keys have set; a context manager.

    Raises:
        UserError: If there is no display.
    """

    def __init__(self) -> None:
        with display_errors():
            check_display()
            _, desktop_height = pygame.display.get_desktop_sizes()[0]
        # The desktop's own bars need room, too.
        self._max_height = min(PICTURE_HEIGHT, round(0.85 * desktop_height))
        self._clock = pygame.time.Clock()
        self._speed = NORMAL_SPEED
        self._frames_due = 0.0
        self._paused = False
        self._next_game = False
        self._closed = False

    def __enter__(self) -> "Window":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pygame.display.quit()

    def show(self, scenes: Iterator[Scene], frames_per_second: int) -> bool:
        """Show one game until it is over or the user wants the next.

        Args:
            scenes: The frames of the game.
            frames_per_second: The game's own speed.

        Returns:
            Whether the window is still open.
        """
        self._next_game = False
        scene = next(scenes, None)
        while scene is not None and not self._closed and not self._next_game:
            self._draw(scene)
            self._clock.tick(frames_per_second)
            for event in pygame.event.get():
                self._handle(event)
            scene = self._advance(scenes, scene, 1 / frames_per_second)
        return not self._closed

    def _advance(self, scenes: Iterator[Scene], scene: Scene | None, seconds: float) -> Scene | None:
        """Play what is due in one picture's time, and return the scene to show next; None: the game is over."""
        if self._paused:
            return scene
        if SPEEDS[self._speed] == math.inf:
            deadline = time.monotonic() + seconds
            while scene is not None and time.monotonic() < deadline:
                scene = next(scenes, None)
            return scene
        self._frames_due += SPEEDS[self._speed]
        while scene is not None and self._frames_due >= 1:
            self._frames_due -= 1
            scene = next(scenes, None)
        return scene

    def _draw(self, scene: Scene) -> None:
        picture = draw(replace(scene, speed=self._shown_speed(), footer=KEYS), self._max_height)
        size = picture.shape[1], picture.shape[0]
        surface = pygame.display.get_surface()
        if surface is None:
            with display_errors():
                surface = pygame.display.set_mode(size)
        surface.blit(pygame.image.frombuffer(picture.data, size, "RGB"), (0, 0))
        pygame.display.set_caption(f"{scene.title}: score {scene.score:,.0f}")
        pygame.display.flip()

    def _shown_speed(self) -> str:
        if self._paused:
            return "paused"
        speed = SPEEDS[self._speed]
        return "as fast as it goes" if speed == math.inf else f"{speed:g}x"

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._closed = True
        elif event.type == pygame.KEYDOWN:
            self._handle_key(event.key)

    def _handle_key(self, key: int) -> None:
        if key in (pygame.K_q, pygame.K_ESCAPE):
            self._closed = True
        elif key in (pygame.K_n, pygame.K_r):
            self._next_game = True
        elif key == pygame.K_SPACE:
            self._paused = not self._paused
        elif key == pygame.K_UP:
            self._speed = min(self._speed + 1, len(SPEEDS) - 1)
        elif key == pygame.K_DOWN:
            self._speed = max(self._speed - 1, 0)


def check_display() -> None:
    """Open the display.

    Raises:
        pygame.error: If there is none that anyone can see.
    """
    # Asked first, as SDL's own search for a display writes to stderr.
    if sys.platform == "linux" and not any(os.environ.get(name) for name in DISPLAYS):
        raise pygame.error("neither DISPLAY nor WAYLAND_DISPLAY is set")
    pygame.display.init()
    # Where the display does not answer, SDL draws into memory without a word.
    driver = pygame.display.get_driver()
    if driver in INVISIBLE_DRIVERS and not os.environ.get("SDL_VIDEODRIVER"):
        pygame.display.quit()
        raise pygame.error("the display does not answer")


@contextmanager
def display_errors() -> Iterator[None]:
    """Turn an error of the display into a sentence that names the way around it."""
    try:
        yield
    except pygame.error as error:
        raise UserError(f"there is no display to open a window on ({error}): use --record game.mp4 instead.") from error
