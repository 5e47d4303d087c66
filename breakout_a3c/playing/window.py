"""The window: a display for games, driven by keys."""

import os
import subprocess
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
    pygame.K_RETURN: "pause",
}
# Of the viewer who plays.
GAME_KEYS = {
    pygame.K_LEFT: "LEFT",
    pygame.K_RIGHT: "RIGHT",
    pygame.K_UP: "UP",
    pygame.K_DOWN: "DOWN",
    pygame.K_SPACE: "FIRE",
}
FOOTER, PLAYING_FOOTER = "h: keys", "arrows: move, space: fire, h: keys"
MAX_LATE_SECONDS = 0.1  # lateness that later pictures make good
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
INVISIBLE_DRIVERS = ("dummy", "offscreen")
DISPLAY_SECONDS = 20  # a display at the other end of ssh may need a few
TRY_DISPLAY = "import pygame; pygame.display.init(); print(pygame.display.get_driver())"


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
        controls = self._controls
        footer = scene.footer or (PLAYING_FOOTER if controls.human else FOOTER)
        shown = replace(scene, footer=footer, help=controls.help_lines() if controls.help else ())
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
        elif controls.human and event.key in GAME_KEYS:
            change = controls.hold if event.type == pygame.KEYDOWN else controls.release
            change(GAME_KEYS[event.key])
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
    if os.environ.get("SDL_VIDEODRIVER") not in INVISIBLE_DRIVERS:
        try_display()
    pygame.display.init()


def try_display() -> None:
    """Open the display in another process: SDL waits for ever for one that does not answer, as after a lost ssh -X.

    Raises:
        pygame.error: If there is no visible one, or none that answers in DISPLAY_SECONDS.
    """
    try:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", TRY_DISPLAY],
            capture_output=True,
            text=True,
            timeout=DISPLAY_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise pygame.error(f"it does not answer within {DISPLAY_SECONDS} seconds") from error
    if tried.returncode:
        last_line = (tried.stderr.splitlines() or ["it cannot be opened"])[-1]
        raise pygame.error(last_line.removeprefix("pygame.error: "))
    # Where no display answers, SDL draws into memory without a word.
    if tried.stdout.split()[-1] in INVISIBLE_DRIVERS:
        raise pygame.error("it does not answer")


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
