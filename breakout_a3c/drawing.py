"""One screen of a game and a panel beside it as one picture, for the window and the recordings."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (height, width, 3) RGB
Color = tuple[int, int, int]

PICTURE_HEIGHT = 840  # four times an Atari screen
PANEL_WIDTH = 360  # this and all lengths below are for a picture of that height
MARGIN = 28
ROW = 34

BACKGROUND: Color = (20, 21, 28)
TROUGH: Color = (42, 44, 56)
MUTED: Color = (140, 145, 165)
BRIGHT: Color = (236, 238, 245)
BAR: Color = (88, 110, 170)
CHOSEN: Color = (240, 170, 70)
REGULAR, BOLD = 400, 700

FONT = cv2.FontFace("sans")


@dataclass(frozen=True, slots=True)
class Scene:
    """What one picture shows."""

    screen: Picture
    title: str
    game: int  # counted from 1
    score: float
    lives: int | None  # None: the game has none
    step: int  # agent steps of this game
    action_names: Sequence[str]
    probabilities: NDArray[np.float32]  # (A,)
    action: int  # the one chosen
    value: float  # the network's estimate of the discounted rewards to come
    last_score: float | None = None  # of the game before
    speed: str = ""
    footer: Sequence[str] = ()


class Panel:
    """A canvas whose lengths are for a picture of PICTURE_HEIGHT and scale with its own height."""

    def __init__(self, height: int) -> None:
        self._unit = height / PICTURE_HEIGHT
        width = 2 * round(PANEL_WIDTH * self._unit / 2)  # video wants it even
        self.canvas: Picture = np.full((height, width, 3), BACKGROUND, np.uint8)

    def _pixels(self, length: float) -> int:
        return round(length * self._unit)

    def text(self, text: str, x: float, baseline: float, size: float, color: Color, weight: int = REGULAR) -> None:
        """Write ``text`` from ``x`` on."""
        place = self._pixels(x), self._pixels(baseline)
        cv2.putText(self.canvas, text, place, color, FONT, self._pixels(size), weight)

    def text_right(self, text: str, baseline: float, size: float, color: Color) -> None:
        """Write ``text`` so that it ends at the right margin."""
        _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), FONT, self._pixels(size), REGULAR)
        self.text(text, PANEL_WIDTH - MARGIN - width / self._unit, baseline, size, color)

    def box(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        """Fill a rectangle."""
        rows = slice(self._pixels(y), self._pixels(y + height))
        columns = slice(self._pixels(x), self._pixels(x + width))
        self.canvas[rows, columns] = color


def draw(scene: Scene, height: int = PICTURE_HEIGHT) -> Picture:
    """Draw the screen, enlarged with sharp pixels, and the panel to its right.

    Args:
        scene: What to show.
        height: At most so many pixels high; the screen is enlarged by a whole number.
    """
    scale = max(1, height // scene.screen.shape[0])
    screen = cv2.resize(scene.screen, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    panel = Panel(screen.shape[0])
    y = draw_score(panel, scene)
    y = draw_rows(panel, scene, y)
    draw_policy(panel, scene, y + ROW)
    for line, text in enumerate(reversed(scene.footer)):
        panel.text(text, MARGIN, PICTURE_HEIGHT - MARGIN - 24 * line, 16, MUTED)
    return np.hstack((screen, panel.canvas))


def draw_score(panel: Panel, scene: Scene) -> float:
    """Draw the game's name and the score; return where they end."""
    panel.text(scene.title.upper(), MARGIN, 58, 20, BRIGHT, BOLD)
    panel.text("score", MARGIN, 100, 20, MUTED)
    panel.text(f"{scene.score:,.0f}", MARGIN, 166, 72, BRIGHT, BOLD)
    return 180


def draw_rows(panel: Panel, scene: Scene, y: float) -> float:
    """Draw a line for each number, below ``y``; return where they end."""
    rows = {
        "lives": "" if scene.lives is None else str(scene.lives),
        "game": str(scene.game),
        "last game": "" if scene.last_score is None else f"{scene.last_score:,.0f}",
        "step": f"{scene.step:,}",
        "speed": scene.speed,
        "value estimate": f"{scene.value:.2f}",
    }
    for name, shown in rows.items():
        if shown:
            y += ROW
            panel.text(name, MARGIN, y, 20, MUTED)
            panel.text_right(shown, y, 20, BRIGHT)
    return y


def draw_policy(panel: Panel, scene: Scene, y: float) -> None:
    """Draw the probability of each action as a bar, below ``y``."""
    y += ROW
    panel.text("policy", MARGIN, y, 20, MUTED)
    y += 6
    bottom = PICTURE_HEIGHT - MARGIN - 24 * (len(scene.footer) + 1)
    row = min(ROW, (bottom - y) / len(scene.action_names))
    size = min(18.0, 0.8 * row)
    left, width = 148, 112
    for index, (name, probability) in enumerate(zip(scene.action_names, scene.probabilities, strict=True)):
        y += row
        chosen = index == scene.action
        panel.text(name, MARGIN, y, size, CHOSEN if chosen else BRIGHT)
        panel.box(left, y - 0.7 * size, width, 0.7 * size, TROUGH)
        panel.box(left, y - 0.7 * size, width * float(probability), 0.7 * size, CHOSEN if chosen else BAR)
        panel.text_right(f"{probability:.0%}", y, size, CHOSEN if chosen else BRIGHT)
