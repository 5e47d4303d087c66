"""The picture: sharp pixels, and a panel that says what the scene says."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from breakout_a3c.drawing import BAR, CHOSEN, MARGIN, PICTURE_HEIGHT, TROUGH, Color, Scene, draw

SCREEN = np.random.default_rng(0).integers(0, 256, (210, 160, 3), np.uint8)
SCENE = Scene(
    screen=SCREEN,
    title="breakout",
    game=1,
    score=123,
    lives=4,
    step=567,
    action_names=["FIRE", "RIGHT", "LEFT"],
    probabilities=np.array([0.5, 0.25, 0.25], np.float32),
    action=2,
    value=1.25,
)


def panel(scene: Scene) -> NDArray[np.uint8]:
    return draw(scene)[:, 4 * 160 :]


def bar_width(scene: Scene, color: Color) -> int:
    """Return the most pixels of ``color`` in one row, between the names and the percentages."""
    bars = panel(scene)[:, 148:260]
    return int((bars == color).all(axis=2).sum(axis=1).max())


def count_bars(scene: Scene) -> int:
    """Count the bars from top to bottom, along the column where they end."""
    canvas = panel(scene)
    troughs = (canvas == TROUGH).all(axis=2)
    column = troughs[:, np.flatnonzero(troughs.any(axis=0))[-1]]
    return int((np.diff(column.astype(int)) == 1).sum())


def test_the_screen_is_enlarged_with_sharp_pixels() -> None:
    assert np.array_equal(draw(SCENE)[:, : 4 * 160], SCREEN.repeat(4, axis=0).repeat(4, axis=1))


@pytest.mark.parametrize("screen", [(210, 160), (250, 160), (400, 600)])
@pytest.mark.parametrize("height", [1, 420, 653, 840])
def test_a_picture_is_as_high_as_allowed_and_even_as_video_wants_it(screen: tuple[int, int], height: int) -> None:
    scale = max(1, height // screen[0])
    picture = draw(replace(SCENE, screen=np.zeros((*screen, 3), np.uint8)), height)
    assert picture.shape[0] == scale * screen[0]
    assert picture.shape[1] > scale * screen[1]
    assert picture.shape[1] % 2 == 0


def test_drawing_changes_nothing_and_depends_on_the_scene_alone() -> None:
    before = SCREEN.copy()
    assert np.array_equal(draw(SCENE), draw(SCENE))
    assert np.array_equal(SCREEN, before)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "pong"},
        {"game": 2},
        {"score": 124.0},
        {"lives": 3},
        {"lives": None},
        {"step": 568},
        {"action": 0},
        {"value": -1.25},
        {"last_score": 7.0},
        {"speed": "2x"},
        {"footer": ("q: quit",)},
        {"action_names": ["NOOP", "RIGHT", "LEFT"]},
        {"probabilities": np.array([0.4, 0.3, 0.3], np.float32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_panel_shows_each_field(change: dict[str, object]) -> None:
    assert not np.array_equal(panel(replace(SCENE, **change)), panel(SCENE))


def test_bars_are_as_long_as_the_probabilities_and_the_chosen_one_stands_out() -> None:
    whole = bar_width(replace(SCENE, probabilities=np.zeros(3, np.float32)), TROUGH)
    assert bar_width(SCENE, BAR) == pytest.approx(whole * 0.5, abs=1)
    assert bar_width(SCENE, CHOSEN) == pytest.approx(whole * 0.25, abs=1)


@pytest.mark.parametrize("actions", [2, 3, 18])
def test_each_action_has_a_bar_that_is_whole_and_above_the_footer(actions: int) -> None:
    footer = ("space: pause", "q: quit")
    uniform = np.full(actions, 1 / actions, np.float32)
    scene = replace(
        SCENE, action_names=["DOWNRIGHTFIRE"] * actions, probabilities=uniform, action=0, speed="1x", last_score=1.0
    )
    assert count_bars(scene) == actions
    bars = (panel(scene) == TROUGH).all(axis=2).any(axis=1)
    footers = (panel(replace(scene, footer=footer)) != panel(scene)).any(axis=(1, 2))
    with_footer = (panel(replace(scene, footer=footer)) == TROUGH).all(axis=2).any(axis=1)
    assert count_bars(replace(scene, footer=footer)) == actions
    assert not bars[PICTURE_HEIGHT - MARGIN :].any()
    assert not with_footer[PICTURE_HEIGHT - MARGIN - 24 * len(footer) :].any()
    assert footers[PICTURE_HEIGHT - MARGIN - 24 * len(footer) :].any()
