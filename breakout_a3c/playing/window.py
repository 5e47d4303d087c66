"""The window: a display for games, driven by keys."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType

import pygame

from breakout_a3c.errors import UserError
from breakout_a3c.playing.controls import COMMANDS, Controls
from breakout_a3c.playing.scene import PICTURE_HEIGHT, Scene, draw_scene
from breakout_a3c.playing.show import Pacer

NAMED_KEYS = {"space": pygame.K_SPACE, "up": pygame.K_UP, "down": pygame.K_DOWN}
KEYS = {NAMED_KEYS.get(key) or ord(key): command for command, (key, _) in COMMANDS.items()} | {
    pygame.K_ESCAPE: "quit",
}
ARROWS = {pygame.K_LEFT: "LEFT", pygame.K_RIGHT: "RIGHT", pygame.K_UP: "UP", pygame.K_DOWN: "DOWN"}
HELP = tuple(COMMANDS.values())
FOOTER = "h: keys"
MAX_LATE_SECONDS = 0.1  # lateness that later pictures make good
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
INVISIBLE_DRIVERS = ("dummy", "offscreen")


class Window:
    """The window; a context manager.

    Args:
        controls: Set by its keys.

    Raises:
        UserError: If there is no display.
    """

    def __init__(self, controls: Controls) -> None:
        with display_errors():
            check_display()
            _, desktop_height = pygame.display.get_desktop_sizes()[0]
        # The desktop's own bars need room, too.
        self._max_height = min(PICTURE_HEIGHT, round(0.85 * desktop_height))
        self._controls = controls
        self._pacer = Pacer()

    def __enter__(self) -> "Window":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pygame.display.quit()

    def draw(self, scene: Scene) -> None:
        """Show a scene."""
        shown = replace(scene, footer=scene.footer or FOOTER, help=HELP if self._controls.help else ())
        picture = draw_scene(shown, self._max_height)
        size = picture.shape[1], picture.shape[0]
        surface = pygame.display.get_surface()
        if surface is None:
            with display_errors():
                surface = pygame.display.set_mode(size)
        surface.blit(pygame.image.frombuffer(picture.data, size, "RGB"), (0, 0))
        pygame.display.set_caption(f"{scene.title}: score {scene.score:,.0f}")
        pygame.display.flip()

    def wait(self, seconds: float) -> None:
        """Sleep until the next picture is due; pictures after a late one come sooner."""
        self._pacer.wait(seconds, MAX_LATE_SECONDS)

    def handle_input(self) -> None:
        """Set the controls by the keys that were pressed and released."""
        for event in pygame.event.get():
            self._handle(event)

    def _handle(self, event: pygame.event.Event) -> None:
        controls = self._controls
        if event.type == pygame.QUIT:
            controls.closed = True
        elif event.type not in (pygame.KEYDOWN, pygame.KEYUP):
            return
        elif controls.human and event.key in ARROWS:
            arrow = ARROWS[event.key]
            if event.type == pygame.KEYDOWN:
                controls.held_action = arrow
            elif controls.held_action == arrow:
                controls.held_action = ""
        elif event.type == pygame.KEYDOWN:
            controls.press(KEYS.get(event.key, ""))


def check_display() -> None:
    """Open the display.

    Raises:
        pygame.error: If there is no visible one.
    """
    # Before SDL's own search for a display, which writes to stderr.
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
        raise UserError(
            f"there is no display to open a window on ({error}): "
            f"use --serve for a page in a browser, or --record game.mp4."
        ) from error
