"""Draws one screen of a game and a panel beside it as one picture, for displays and recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

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
FIELD: Color = (30, 31, 41)
MUTED: Color = (140, 145, 165)
BRIGHT: Color = (236, 238, 245)
BAR: Color = (88, 110, 170)
CHOSEN: Color = (240, 170, 70)
SALIENT: Color = (70, 170, 255)
SALIENCY_OPACITY = 0.75
SMALLEST_PEAK = 0.02  # of a saliency map; a lower one is tinted less
VALUES_SHOWN = 150  # steps
OBSERVATION_HEIGHT = 120
REGULAR, BOLD = 400, 700
FONT = cv2.FontFace("sans")


@dataclass(frozen=True, slots=True)
class Scene:
    """The content of one picture."""

    screen: Picture
    title: str
    game: int  # counted from 1
    score: float
    lives: int | None  # None: the game has none
    step: int  # agent steps of this game
    action_names: Sequence[str]
    probabilities: NDArray[np.float32]  # (A,)
    action: int  # index of the chosen one
    value: float  # the network's estimate of the discounted rewards to come
    last_score: float | None = None  # of the game before
    values: Sequence[float] = ()  # the estimates of the last steps, oldest first
    observation: NDArray[np.uint8] | None = None  # (84, 84, 4), shown beside the game
    saliency: NDArray[np.float32] | None = None  # (N, N), at least 0, laid over the screen
    trained: str = ""  # how long, of a training that goes on
    curve: Sequence[tuple[float, float]] = ()  # of it: million agent steps, mean score; shown in place of the values
    mode: str = ""  # the viewer or the greedy policy; empty for the sampled policy
    speed: str = ""
    help: Sequence[tuple[str, str]] = ()  # keys and their meaning, shown in place of the policy
    footer: str = ""


class Panel:
    """A canvas whose lengths are for a picture of PICTURE_HEIGHT and scale with its own height."""

    def __init__(self, height: int) -> None:
        self._unit = height / PICTURE_HEIGHT
        width = 2 * round(PANEL_WIDTH * self._unit / 2)  # video wants it even
        self.canvas: Picture = empty_canvas(height, width).copy()

    def _pixels(self, length: float) -> int:
        return round(length * self._unit)

    def text(self, text: str, x: float, baseline: float, size: float, color: Color, weight: int = REGULAR) -> None:
        """Write ``text``, which begins at ``x``."""
        place = self._pixels(x), self._pixels(baseline)
        cv2.putText(self.canvas, text, place, color, FONT, self._pixels(size), weight)

    def text_fitted(self, text: str, x: float, baseline: float, size: float, color: Color, weight: int) -> None:
        """Write ``text`` between ``x`` and the right margin, smaller where it is long."""
        room = PANEL_WIDTH - MARGIN - x
        width = self._width(text, size, weight)
        self.text(text, x, baseline, size * min(1.0, room / width), color, weight)

    def text_right(self, text: str, baseline: float, size: float, color: Color) -> None:
        """Write ``text`` so that it ends at the right margin."""
        self.text(text, PANEL_WIDTH - MARGIN - self._width(text, size, REGULAR), baseline, size, color)

    def _width(self, text: str, size: float, weight: int) -> float:
        _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), FONT, self._pixels(size), weight)
        return width / self._unit

    def line(self, points: NDArray[np.float64], color: Color) -> None:
        """Draw a line through ``points``, ``(N, 2)`` x and y."""
        cv2.polylines(self.canvas, [np.rint(points * self._unit).astype(np.int32)], False, color, 1, cv2.LINE_AA)

    def picture(self, picture: Picture, x: float, y: float, width: float, height: float) -> None:
        """Draw a picture, resized to ``width`` and ``height``; leave out the rows below the canvas."""
        shown = cv2.resize(picture, (self._pixels(width), self._pixels(height)), interpolation=cv2.INTER_AREA)
        top, left = self._pixels(y), self._pixels(x)
        shown = shown[: max(0, self.canvas.shape[0] - top)]
        self.canvas[top : top + shown.shape[0], left : left + shown.shape[1]] = shown

    def box(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        """Fill a rectangle."""
        rows = slice(self._pixels(y), self._pixels(y + height))
        columns = slice(self._pixels(x), self._pixels(x + width))
        self.canvas[rows, columns] = color


@cache
def empty_canvas(height: int, width: int) -> Picture:
    """Return a canvas in the colour of the background, which is to be copied: that takes a tenth of filling one."""
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def draw_scene(scene: Scene, height: int = PICTURE_HEIGHT) -> Picture:
    """Draw the screen and the panel to its right.

    Args:
        scene: The content.
        height: Maximum in pixels; the screen is enlarged by a whole number.

    Returns:
        ``(height, width, 3)`` RGB, at most ``height`` high, unless the screen itself is higher.
    """
    screen = draw_screen(scene, height)
    return np.hstack((screen, draw_panel(scene, screen.shape[0])))


def draw_screen(scene: Scene, height: int = PICTURE_HEIGHT) -> Picture:
    """Draw the screen alone, enlarged with sharp pixels, and the saliency over it; see ``draw_scene``."""
    scale = max(1, height // scene.screen.shape[0])
    # Tinted before it is enlarged: a sixteenth of the pixels.
    screen = scene.screen if scene.saliency is None else overlay_saliency(scene.screen, scene.saliency)
    return np.asarray(cv2.resize(screen, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST), np.uint8)


def draw_panel(scene: Scene, height: int) -> Picture:
    """Draw the panel alone, ``height`` pixels high."""
    panel = Panel(height)
    y = draw_score(panel, scene)
    y = draw_rows(panel, scene, y)
    if scene.help:
        draw_help(panel, scene.help, y + ROW)
    else:
        y = draw_curve(panel, scene.curve, y) if scene.curve else draw_values(panel, scene.values, y)
        y = draw_policy(panel, scene, y + 0.6 * ROW)
        if scene.observation is not None:
            draw_observation(panel, scene.observation, y + 0.6 * ROW)
    panel.text(scene.footer, MARGIN, PICTURE_HEIGHT - MARGIN, 16, MUTED)
    return panel.canvas


def overlay_saliency(screen: Picture, saliency: NDArray[np.float32]) -> Picture:
    """Return the screen, tinted where the map is high; a map without a peak does not change it."""
    height, width, _ = screen.shape
    peak = max(float(saliency.max()), SMALLEST_PEAK)
    strength = cv2.resize(saliency / peak, (width, height), interpolation=cv2.INTER_CUBIC)
    strength = np.clip(strength, 0, 1)[..., np.newaxis] * SALIENCY_OPACITY
    tinted = screen * (1 - strength) + np.array(SALIENT, np.float32) * strength
    return tinted.astype(np.uint8)


def draw_score(panel: Panel, scene: Scene) -> float:
    """Draw the game's name and the score; return the y of their end."""
    panel.text_fitted(scene.title.upper(), MARGIN, 58, 20, BRIGHT, BOLD)
    panel.text("score", MARGIN, 100, 20, MUTED)
    panel.text_fitted(f"{scene.score:,.0f}", MARGIN, 166, 72, BRIGHT, BOLD)
    return 180


def draw_rows(panel: Panel, scene: Scene, y: float) -> float:
    """Draw a line for each number, below ``y``; return the y of their end."""
    rows = {
        "lives": "" if scene.lives is None else str(scene.lives),
        "game": str(scene.game),
        "last game": "" if scene.last_score is None else f"{scene.last_score:,.0f}",
        "step": f"{scene.step:,}",
        "speed": scene.speed,
        "plays": scene.mode,
        "trained": scene.trained,
        "value estimate": f"{scene.value:.2f}",
    }
    for name, shown in rows.items():
        if shown:
            y += ROW
            panel.text(name, MARGIN, y, 20, MUTED)
            panel.text_right(shown, y, 20, BRIGHT)
    return y


def draw_values(panel: Panel, values: Sequence[float], y: float) -> float:
    """Draw the value estimates of the last steps as a curve, below ``y``; return the y of its end."""
    height, width = 74.0, PANEL_WIDTH - 2 * MARGIN
    panel.box(MARGIN, y + 12, width, height, FIELD)
    if len(values) > 1:
        low, high = min(values), max(values)
        scale = (height - 12) / max(high - low, 1e-3)
        xs = MARGIN + width - 3 - np.arange(len(values))[::-1] * (width - 6) / VALUES_SHOWN
        ys = y + 12 + height - 6 - (np.asarray(values) - low) * scale
        panel.line(np.stack((xs, ys), axis=1), CHOSEN)
    return y + 12 + height


def draw_curve(panel: Panel, curve: Sequence[tuple[float, float]], y: float) -> float:
    """Draw the scores of a training so far, below ``y``; return the y of their end."""
    height, width = 74.0, PANEL_WIDTH - 2 * MARGIN
    panel.box(MARGIN, y + 12, width, height, FIELD)
    steps, scores = np.asarray(curve, float).T
    if len(steps) > 1:
        low = min(scores.min(), 0.0)
        along = (steps - steps[0]) / max(steps[-1] - steps[0], 1e-9)  # 0 to 1
        up = (scores - low) / max(scores.max() - low, 1e-3)  # 0 to 1
        xs = MARGIN + 3 + along * (width - 6)
        ys = y + 6 + height - up * (height - 24)
        panel.line(np.stack((xs, ys), axis=1), CHOSEN)
    panel.text(f"training: mean score {scores[-1]:,.0f}", MARGIN + 6, y + 28, 14, MUTED)
    return y + 12 + height


def draw_policy(panel: Panel, scene: Scene, y: float) -> float:
    """Draw the probability of each action as a bar, below ``y``; return the y of their end."""
    y += ROW
    panel.text("policy", MARGIN, y, 20, MUTED)
    y += 6
    bottom = PICTURE_HEIGHT - 2 * MARGIN - (0 if scene.observation is None else OBSERVATION_HEIGHT)
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
    return y


def draw_observation(panel: Panel, observation: NDArray[np.uint8], y: float) -> None:
    """Draw the four frames that the network sees side by side, oldest first, below ``y``."""
    panel.text("what it sees, oldest first", MARGIN, y + 14, 16, MUTED)
    frames = np.hstack([observation[..., frame] for frame in range(observation.shape[-1])])
    width = PANEL_WIDTH - 2 * MARGIN
    panel.picture(np.repeat(frames[..., np.newaxis], 3, axis=2), MARGIN, y + 24, width, width / observation.shape[-1])


def draw_help(panel: Panel, keys: Sequence[tuple[str, str]], y: float) -> None:
    """Draw the keys and their meaning, below ``y``."""
    for key, meaning in keys:
        panel.text(key, MARGIN, y, 18, CHOSEN)
        panel.text(meaning, MARGIN + 74, y, 18, BRIGHT)
        y += 28
