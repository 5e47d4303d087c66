"""The picture: sharp pixels, and a panel that shows each field of the scene."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from breakout_a3c.playing.scene import (
    BACKGROUND,
    BAR,
    CHOSEN,
    MARGIN,
    PICTURE_HEIGHT,
    TROUGH,
    Color,
    Picture,
    Scene,
    draw_scene,
)

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
    return draw_scene(scene)[:, 4 * 160 :]


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
    assert np.array_equal(draw_scene(SCENE)[:, : 4 * 160], SCREEN.repeat(4, axis=0).repeat(4, axis=1))


@pytest.mark.parametrize("screen", [(210, 160), (250, 160), (400, 600)])
@pytest.mark.parametrize("height", [1, 420, 653, 840])
def test_a_picture_is_as_high_as_allowed_and_even_as_video_wants_it(screen: tuple[int, int], height: int) -> None:
    scale = max(1, height // screen[0])
    picture = draw_scene(replace(SCENE, screen=np.zeros((*screen, 3), np.uint8)), height)
    assert picture.shape[0] == scale * screen[0]
    assert picture.shape[1] > scale * screen[1]
    assert picture.shape[1] % 2 == 0


def test_drawing_changes_nothing_and_depends_on_the_scene_alone() -> None:
    before = SCREEN.copy()
    assert np.array_equal(draw_scene(SCENE), draw_scene(SCENE))
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
        {"footer": "h: keys"},
        {"mode": "greedy policy"},
        {"values": (1.0, 2.0, 1.5)},
        {"observation": np.full((84, 84, 4), 200, np.uint8)},
        {"help": (("q", "quit"),)},
        {"action_names": ["NOOP", "RIGHT", "LEFT"]},
        {"probabilities": np.array([0.4, 0.3, 0.3], np.float32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_panel_shows_each_field(change: dict[str, object]) -> None:
    assert not np.array_equal(panel(replace(SCENE, **change)), panel(SCENE))


@pytest.mark.parametrize("score", [1_234_567.0, -30_000.0, -123_456_789.0, 99.0])
@pytest.mark.parametrize("height", [420, 840])
def test_a_score_of_any_size_has_room(score: float, height: int) -> None:
    drawn = draw_scene(replace(SCENE, score=score), height)[:, 160 * height // 210 :]
    row = slice(round(105 * height / PICTURE_HEIGHT), round(170 * height / PICTURE_HEIGHT))
    right = np.flatnonzero((drawn[row] != BACKGROUND).any(axis=(0, 2)))[-1]
    assert right <= drawn.shape[1] - 0.9 * MARGIN * height / PICTURE_HEIGHT


def test_bars_are_as_long_as_the_probabilities_and_the_chosen_one_stands_out() -> None:
    whole = bar_width(replace(SCENE, probabilities=np.zeros(3, np.float32)), TROUGH)
    assert bar_width(SCENE, BAR) == pytest.approx(whole * 0.5, abs=1)
    assert bar_width(SCENE, CHOSEN) == pytest.approx(whole * 0.25, abs=1)


@pytest.mark.parametrize("actions", [2, 3, 18])
def test_each_action_has_a_bar_that_is_whole_and_above_the_footer(actions: int) -> None:
    footer = "h: keys, q: quit"
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
    assert not with_footer[PICTURE_HEIGHT - MARGIN - 24 :].any()
    assert footers[PICTURE_HEIGHT - MARGIN - 24 :].any()


def test_saliency_tints_what_it_points_at_and_nothing_else() -> None:
    saliency = np.zeros((14, 14), np.float32)
    saliency[2, 3] = 1.0
    plain, tinted = game_part(SCENE), game_part(replace(SCENE, saliency=saliency))
    changed = (plain != tinted).any(axis=2)
    height, width = changed.shape
    assert changed[round(2.5 / 14 * height), round(3.5 / 14 * width)]
    assert not changed[height // 2 :].any()


def test_a_map_without_a_peak_tints_nothing() -> None:
    faint = np.full((14, 14), 1e-5, np.float32)
    assert np.abs(game_part(replace(SCENE, saliency=faint)).astype(int) - game_part(SCENE)).max() <= 1


def game_part(scene: Scene) -> Picture:
    """Return the picture without its panel."""
    picture = draw_scene(scene)
    return picture[:, : scene.screen.shape[1] * picture.shape[0] // scene.screen.shape[0]]


def test_the_four_frames_stand_side_by_side_oldest_first() -> None:
    frames = np.zeros((84, 84, 4), np.uint8)
    frames[...] = (10, 80, 150, 220)
    shown = panel(replace(SCENE, observation=frames))
    row = shown[np.flatnonzero((shown == 220).all(axis=2).any(axis=1))[5]]
    grays = [int(pixel[0]) for pixel in row if pixel[0] in (10, 80, 150, 220) and (pixel == pixel[0]).all()]
    assert [gray for i, gray in enumerate(grays) if i == 0 or grays[i - 1] != gray] == [10, 80, 150, 220]
