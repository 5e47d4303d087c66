"""The window, on SDL's dummy display: keys, the close button, speeds, and no display at all."""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pygame
import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.playing.controls import COMMANDS, SPEEDS, Controls
from breakout_a3c.playing.recording import RecordingOnDemand, unused_path
from breakout_a3c.playing.scene import PICTURE_HEIGHT, Scene, draw_scene
from breakout_a3c.playing.show import show_game
from breakout_a3c.playing.window import DISPLAYS, Window

FRAMES_PER_SECOND = 200  # hurries the tests
SCENE = Scene(
    screen=np.full((210, 160, 3), 99, np.uint8),
    title="breakout",
    game=1,
    score=12,
    lives=5,
    step=1,
    action_names=["FIRE", "RIGHT"],
    probabilities=np.array([0.5, 0.5], np.float32),
    action=0,
    value=0.0,
)


class Show:
    """Games in a window, as play.py shows them."""

    def __init__(self) -> None:
        self.controls = Controls()
        self.window = Window(self.controls)
        self.recordings = RecordingOnDemand(self.controls)

    def show(self, scenes: Iterator[Scene], frames_per_second: int = FRAMES_PER_SECOND) -> bool:
        return show_game(self.window, scenes, frames_per_second, self.controls, self.recordings)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    shown = Show()
    with shown.window, shown.recordings:
        yield shown


class Game:
    """Scenes that press keys on the way; counts those that were taken."""

    def __init__(self, length: int, events: dict[int, pygame.event.Event] | None = None) -> None:
        self._length = length
        self._events = events or {}
        self.shown = 0

    def play(self) -> Iterator[Scene]:
        for frame in range(self._length):
            if frame in self._events:
                pygame.event.post(self._events[frame])
            self.shown += 1
            yield SCENE


def key(code: int) -> pygame.event.Event:
    return pygame.event.Event(pygame.KEYDOWN, key=code)


def press_later(event: pygame.event.Event, seconds: float) -> None:
    pygame.time.set_timer(event, round(1000 * seconds), loops=1)


def test_a_game_is_shown_to_its_end(shown: Show) -> None:
    game = Game(20)
    started = time.monotonic()
    assert shown.show(game.play())
    assert game.shown == 20
    assert time.monotonic() - started > 0.5 * 20 / FRAMES_PER_SECOND, "faster than the game"


@pytest.mark.parametrize(
    "event",
    [key(pygame.K_q), key(pygame.K_ESCAPE), pygame.event.Event(pygame.QUIT)],
    ids=["q", "escape", "close button"],
)
def test_the_window_closes(shown: Show, event: pygame.event.Event) -> None:
    game = Game(1000, {5: event})
    assert not shown.show(game.play())
    assert game.shown < 10


def test_the_next_game_can_be_asked_for_and_is_shown_in_full(shown: Show) -> None:
    first, second = Game(1000, {5: key(pygame.K_r)}), Game(10)
    assert shown.show(first.play())
    assert first.shown < 10
    assert shown.show(second.play())
    assert second.shown == 10


def test_space_pauses_the_game(shown: Show) -> None:
    held = Game(1000, {5: key(pygame.K_SPACE)})
    press_later(pygame.event.Event(pygame.QUIT), 0.3)
    assert not shown.show(held.play())
    assert held.shown < 10


def test_space_again_goes_on(shown: Show) -> None:
    resumed = Game(20, {5: key(pygame.K_SPACE)})
    press_later(key(pygame.K_SPACE), 0.3)
    assert shown.show(resumed.play())
    assert resumed.shown == 20


def test_down_is_slower_to_a_quarter(shown: Show) -> None:
    for _ in SPEEDS:
        pygame.event.post(key(pygame.K_DOWN))
    game = Game(1000)
    press_later(pygame.event.Event(pygame.QUIT), 0.5)
    assert not shown.show(game.play())
    assert 2 <= game.shown <= 0.3 * 0.5 * FRAMES_PER_SECOND


def test_up_is_faster_to_as_fast_as_it_goes(shown: Show) -> None:
    for _ in SPEEDS:
        pygame.event.post(key(pygame.K_UP))
    game = Game(20_000)  # 100 s at the game's own speed, 25 s at the fastest that is counted
    started = time.monotonic()
    assert shown.show(game.play())
    assert game.shown == 20_000
    assert time.monotonic() - started < 10


def test_the_window_shows_the_picture_and_its_title_the_score(shown: Show) -> None:
    shown.show(Game(3).play())
    surface = pygame.display.get_surface()
    assert surface is not None
    picture = pygame.surfarray.array3d(surface).swapaxes(0, 1)
    drawn = draw_scene(SCENE, min(PICTURE_HEIGHT, picture.shape[0]))
    assert picture.shape == drawn.shape
    width = SCENE.screen.shape[1] * picture.shape[0] // SCENE.screen.shape[0]
    assert np.array_equal(picture[:, :width], drawn[:, :width])
    assert not np.array_equal(picture[:, width:], drawn[:, width:]), "neither speed nor keys are shown"
    assert pygame.display.get_caption()[0] == "breakout: score 12"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such variables")
def test_without_a_display_the_error_names_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="--record"):
        Window(Controls())


def test_an_invisible_display_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(pygame.display, "init", lambda: None)
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    with pytest.raises(UserError, match="--record"):
        Window(Controls())


def test_an_error_of_sdl_becomes_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    with pytest.raises(UserError, match="--record"):
        Window(Controls())


def test_v_records_until_it_is_pressed_again(shown: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    game = Game(90, {10: key(pygame.K_v), 70: key(pygame.K_v)})
    shown.show(game.play(), 60)
    (recorded,) = shown.recordings.finished
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(recorded))
    assert 50 <= frames <= 65
    assert seconds == pytest.approx(frames / 60, abs=0.02)
    assert [path.name for path in tmp_path.iterdir()] == [recorded.name]


def test_a_recording_that_is_on_at_the_end_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    controls = Controls(recording=True)
    with RecordingOnDemand(controls) as recordings:
        for _ in recordings.watch(Game(10).play(), 60):
            assert recordings.notice() == "recording"
    (recorded,) = recordings.finished
    assert imageio_ffmpeg.count_frames_and_secs(str(recorded))[0] == 10


def test_the_show_goes_on_after_a_recording_that_cannot_be_written(
    shown: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("imageio_ffmpeg._io.get_ffmpeg_exe", lambda: "/bin/false")
    game = Game(90, {10: key(pygame.K_v)})
    assert shown.show(game.play())
    assert game.shown == 90
    assert shown.recordings.notice() == "the recording failed"
    assert "could not be written" in str(shown.recordings.errors[0])
    assert not list(tmp_path.iterdir())


def test_two_recordings_within_a_second_have_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda _: "20261125-120000")
    names = []
    for _ in range(3):
        names.append(unused_path("space invaders"))
        names[-1].touch()
    assert [path.name for path in names] == [f"space_invaders-20261125-120000{end}.mp4" for end in ("", "-2", "-3")]


def test_the_arrow_keys_play_when_the_viewer_does(shown: Show) -> None:
    controls = shown.controls
    pressed, released = (pygame.event.Event(kind, key=pygame.K_LEFT) for kind in (pygame.KEYDOWN, pygame.KEYUP))
    held = []
    for events in ([pressed], [key(pygame.K_p), pressed], [released]):
        for event in events:
            pygame.event.post(event)
        shown.show(Game(2).play())
        held.append(controls.held_action)
    assert held == ["", "LEFT", ""]


def test_h_shows_every_key(shown: Show) -> None:
    pygame.event.post(key(pygame.K_h))
    shown.show(Game(3).play())
    surface = pygame.display.get_surface()
    assert surface is not None
    picture = pygame.surfarray.array3d(surface).swapaxes(0, 1)
    expected = draw_scene(replace(SCENE, speed="1x", footer="h: keys", help=tuple(COMMANDS.values())), len(picture))
    assert np.array_equal(picture, expected)
