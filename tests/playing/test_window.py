"""The window, on SDL's dummy display: keys, the close button, speeds, and no display at all."""

import itertools
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pygame
import pytest
from ale_py import Action

from breakout_a3c.errors import UserError
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning.networks import make_network
from breakout_a3c.playing import window
from breakout_a3c.playing.controls import COMMANDS, HOLDS, SPEEDS, Controls
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.player import Player
from breakout_a3c.playing.recording import RecordingOnDemand, unused_path
from breakout_a3c.playing.scene import PICTURE_HEIGHT, Scene, draw_scene
from breakout_a3c.playing.show import show_game
from breakout_a3c.playing.window import DISPLAYS, GAME_KEYS, PLAYING_FOOTER, Window
from breakout_a3c.presets import PRESETS

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

# All 18 actions of the emulator, and the keys of each.
KEYS_OF = {action.name: tuple(key for key in HOLDS if key in action.name) for action in Action}


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


def key(code: int, kind: int = pygame.KEYDOWN) -> pygame.event.Event:
    return pygame.event.Event(kind, key=code)


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
    picture = shown_picture()
    drawn = draw_scene(SCENE, min(PICTURE_HEIGHT, picture.shape[0]))
    assert picture.shape == drawn.shape
    width = SCENE.screen.shape[1] * picture.shape[0] // SCENE.screen.shape[0]
    assert np.array_equal(picture[:, :width], drawn[:, :width])
    assert not np.array_equal(picture[:, width:], drawn[:, width:]), "neither speed nor keys are shown"
    assert pygame.display.get_caption()[0] == "breakout: score 12"


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def refusal(capfd: pytest.CaptureFixture[str]) -> str:
    """Return what a window is refused with; nothing else is printed."""
    with pytest.raises(UserError) as refused:
        Window(Controls())
    assert capfd.readouterr() == ("", "")
    sentence = str(refused.value)
    assert sentence.startswith("there is no display to open a window on (")
    assert sentence.endswith("): use --serve for a page in a browser, or --record game.mp4.")
    assert "\n" not in sentence
    return sentence


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such variables")
def test_without_a_display_the_error_names_page_and_recording(
    no_display: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "neither DISPLAY nor WAYLAND_DISPLAY is set" in refusal(capfd)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such variables")
@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"DISPLAY": ":77"}, "it does not answer"),
        ({"DISPLAY": "localhost:10.0"}, "it does not answer"),  # a lost ssh -X
        ({"WAYLAND_DISPLAY": "wayland-77"}, "it does not answer"),
        ({"WAYLAND_DISPLAY": "wayland-77", "DISPLAY": ":77"}, "it does not answer"),
        ({"DISPLAY": "no display"}, "it does not answer"),
        ({"DISPLAY": ":77", "SDL_VIDEODRIVER": "x11"}, "x11 not available"),
        ({"SDL_VIDEODRIVER": "no-such-driver"}, "no-such-driver not available"),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_a_display_that_is_gone_is_one_sentence(
    no_display: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], environment: dict[str, str], reason: str
) -> None:
    for name, value in environment.items():
        no_display.setenv(name, value)
    assert f"({reason})" in refusal(capfd)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such variables")
@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_display_that_says_nothing_does_not_hold_up_the_program(
    no_display: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, variable: str
) -> None:
    no_display.setattr(window, "DISPLAY_SECONDS", 4)
    with socket.socket() as x_server, socket.socket(socket.AF_UNIX) as wayland:
        x_server.bind(("127.0.0.1", 0))
        display_0 = 6000  # its port
        silent = {
            "DISPLAY": f"127.0.0.1:{x_server.getsockname()[1] - display_0}",
            "WAYLAND_DISPLAY": str(tmp_path / "wayland"),
        }
        wayland.bind(silent["WAYLAND_DISPLAY"])
        for server in (x_server, wayland):
            server.listen()
        no_display.setenv(variable, silent[variable])
        started = time.monotonic()
        assert "(it does not answer within 4 seconds)" in refusal(capfd)
    assert time.monotonic() - started < 20


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


def test_arrows_and_space_play_when_the_viewer_does(shown: Show) -> None:
    controls = shown.controls
    held = []
    for events in (
        [key(pygame.K_LEFT), key(pygame.K_SPACE), key(pygame.K_SPACE)],  # the agent plays: a pause and its end
        [key(pygame.K_p), key(pygame.K_LEFT), key(pygame.K_SPACE)],
        [key(pygame.K_LEFT, pygame.KEYUP), key(pygame.K_UP)],
        [key(pygame.K_SPACE, pygame.KEYUP), key(pygame.K_UP, pygame.KEYUP)],
    ):
        for event in events:
            pygame.event.post(event)
        shown.show(Game(2).play())
        assert not controls.paused
        held.append(controls.held)
    assert held == [(), ("LEFT", "FIRE"), ("FIRE", "UP"), ()]
    assert controls.speed_text() == "1x", "arrows do not change the speed meanwhile"


def test_enter_pauses_a_game_that_the_viewer_plays(shown: Show) -> None:
    shown.controls.press("human")
    held = Game(1000, {5: key(pygame.K_RETURN)})
    press_later(pygame.event.Event(pygame.QUIT), 0.3)
    assert not shown.show(held.play())
    assert held.shown < 10


def test_all_18_actions_of_a_game_are_played_by_keys(shown: Show) -> None:
    config = PRESETS["breakout"].replace_given({"game": "seaquest", "precision": "float32"})
    network = make_network(config.network, make_environment(config.game))
    player = Player(network, config.game, Protocol(episodes=1), shown.controls)
    assert set(player.action_names) == set(KEYS_OF)
    game = player.play(0)
    shown.controls.press("human")
    codes = {name: code for code, name in GAME_KEYS.items()}
    for name, keys in KEYS_OF.items():
        for kind in (pygame.KEYDOWN, pygame.KEYUP):
            for pressed in keys:
                pygame.event.post(key(codes[pressed], kind))
            shown.window.handle_input()
            if kind == pygame.KEYDOWN:
                *_, scene = itertools.islice(game, 8)  # what is left of a step, and a whole one
                assert scene.action_names[scene.action] == name
                assert scene.mode == "you"


def test_h_shows_every_key(shown: Show) -> None:
    pygame.event.post(key(pygame.K_h))
    shown.show(Game(3).play())
    picture = shown_picture()
    expected = draw_scene(replace(SCENE, speed="1x", footer="h: keys", help=tuple(COMMANDS.values())), len(picture))
    assert np.array_equal(picture, expected)


def test_while_the_viewer_plays_footer_and_help_tell_the_game_s_keys(shown: Show) -> None:
    shown.controls.press("human")
    shown.show(Game(3).play())
    without_help = shown_picture()
    playing = replace(SCENE, speed="1x", footer=PLAYING_FOOTER)
    assert np.array_equal(without_help, draw_scene(playing, len(without_help)))
    shown.controls.press("help")
    shown.show(Game(3).play())
    assert np.array_equal(
        shown_picture(), draw_scene(replace(playing, help=shown.controls.help_lines()), len(without_help))
    )


def shown_picture() -> np.ndarray:
    """Return what is in the window, ``(H, W, 3)``."""
    surface = pygame.display.get_surface()
    assert surface is not None
    return pygame.surfarray.array3d(surface).swapaxes(0, 1)
