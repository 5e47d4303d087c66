"""Recordings, read back: as many pictures as played, of the right size, and the game moves."""

import os
import signal
import weakref
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from breakout_a3c.errors import UserError
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.player import Player
from breakout_a3c.playing.recording import Recorder, check_target, record
from breakout_a3c.playing.scene import Scene, draw_scene
from breakout_a3c.saving.agent import load_agent

FRAMES = 90
GIF_STRIDE = 3  # 60 frames per second to 20


@pytest.fixture(scope="module")
def scenes(checkpoint_path: Path) -> list[Scene]:
    agent = load_agent(checkpoint_path)
    player = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1))
    return list(islice(player.play(0), FRAMES))


def read_video(path: Path) -> tuple[dict[str, Any], list[NDArray[np.uint8]]]:
    reader = imageio_ffmpeg.read_frames(str(path))
    facts = next(reader)
    width, height = facts["size"]
    return facts, [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]


def test_a_video_has_every_frame_and_the_game_moves_in_it(scenes: list[Scene], tmp_path: Path) -> None:
    path = tmp_path / "game.mp4"
    assert record(iter(scenes), path, 60) == FRAMES / 60
    facts, frames = read_video(path)
    assert len(frames) == FRAMES
    assert facts["fps"] == 60
    assert facts["codec"] == "h264"
    assert facts["pix_fmt"].startswith("yuv420p")
    for index in (0, FRAMES // 2, FRAMES - 1):
        drawn = draw_scene(scenes[index])
        assert frames[index].shape == drawn.shape
        # Lossy, and with a quarter of the colours' resolution.
        assert np.abs(frames[index].astype(int) - drawn).mean() < 4
    playfield = np.s_[400:760, 40:600]  # between the bricks and the paddle
    moved = np.abs(frames[0][playfield].astype(int) - frames[-1][playfield]).max()
    assert moved > 100, "the ball stands still"


@pytest.fixture
def ctrl_c_interrupts() -> Iterator[None]:
    """Python's own handler, even where the tests ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_the_middle_of_a_picture_costs_no_recording(
    scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ctrl_c_interrupts: None
) -> None:
    path = tmp_path / "game.mp4"
    recorder = Recorder(path, 60)
    recorder.add(scenes[0])

    class Interrupted:
        """A writer that is interrupted within a picture."""

        def __init__(self, writer: Any) -> None:
            self._writer = writer
            self.close = writer.close

        def send(self, picture: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            self._writer.send(picture)

    monkeypatch.setattr(recorder, "_writer", Interrupted(recorder._writer))
    with pytest.raises(KeyboardInterrupt):
        recorder.add(scenes[1])
    assert recorder.finish() == 2 / 60
    assert len(read_video(path)[1]) == 2


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_without_the_panel_it_is_the_screen_alone(scenes: list[Scene], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"game{suffix}"
    record(iter(scenes[:3]), path, 60, with_panel=False)
    facts, _ = read_video(path)
    scale = 4 if suffix == ".mp4" else 2
    assert facts["size"] == (160 * scale, 210 * scale)


def test_a_gif_is_small_and_loops_and_the_game_moves_in_it(scenes: list[Scene], tmp_path: Path) -> None:
    path = tmp_path / "game.gif"
    assert record(iter(scenes), path, 60) == FRAMES / 60
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0, "it does not loop for ever"
        assert gif.info["duration"] == 1000 * GIF_STRIDE / 60
        assert gif.n_frames == FRAMES // GIF_STRIDE
        first, last = (frame_of(gif, index) for index in (0, gif.n_frames - 1))
    for frame, scene in ((first, scenes[0]), (last, scenes[FRAMES - GIF_STRIDE])):
        drawn = draw_scene(scene, 420)
        assert frame.shape == drawn.shape
        assert np.abs(frame.astype(int) - drawn).mean() < 1
    assert not np.array_equal(first[200:380, 20:300], last[200:380, 20:300]), "the ball stands still"
    assert path.stat().st_size < 200_000


def frame_of(gif: Any, index: int) -> NDArray[np.uint8]:
    gif.seek(index)
    return np.asarray(gif.convert("RGB"))


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_pictures_that_are_all_the_same_are_recorded_too(scenes: list[Scene], tmp_path: Path, suffix: str) -> None:
    assert record(scenes[:1] * 60, tmp_path / f"still{suffix}", 60) == 1.0


def test_no_screen_is_kept_once_it_is_written(scenes: list[Scene], tmp_path: Path) -> None:
    screens: list[weakref.ref[Any]] = []
    most_alive = 0

    def play() -> Iterator[Scene]:
        nonlocal most_alive
        for _ in range(60):
            scene = replace(scenes[0], screen=scenes[0].screen.copy())
            screens.append(weakref.ref(scene.screen))
            yield scene
            most_alive = max(most_alive, sum(screen() is not None for screen in screens))

    record(play(), tmp_path / "game.gif", 60)
    assert 1 <= most_alive <= 3


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_recording_that_breaks_off_leaves_what_was_there(scenes: list[Scene], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"game{suffix}"
    path.write_text("older")

    def interrupted() -> Iterator[Scene]:
        yield from scenes[:10]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(interrupted(), path, 60)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_ffmpeg_failing_is_one_sentence(scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imageio_ffmpeg._io.get_ffmpeg_exe", lambda: "/bin/false")
    with pytest.raises(UserError, match=r"game\.mp4 could not be written") as caught:
        record(scenes, tmp_path / "game.mp4", 60)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["/nonexistent", __file__, "/bin/false"])
def test_an_ffmpeg_that_does_not_run_is_said_before_anything_is_played(
    tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", given)
    with pytest.raises(UserError, match=f"IMAGEIO_FFMPEG_EXE is {given}, which does not run .*: give it the path"):
        check_target(tmp_path / "game.mp4")


def test_a_package_without_its_ffmpeg_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    monkeypatch.setattr("imageio_ffmpeg._utils._is_valid_exe", lambda path: False)
    imageio_ffmpeg._utils._get_ffmpeg_exe.cache_clear()
    try:
        with pytest.raises(UserError, match=r"no ffmpeg that runs .*--force-reinstall imageio-ffmpeg brings one"):
            check_target(tmp_path / "game.mp4")
    finally:
        imageio_ffmpeg._utils._get_ffmpeg_exe.cache_clear()


def test_a_name_that_ffmpeg_would_take_for_a_protocol(
    scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record(scenes[:3], Path("a:b%d.mp4"), 60)
    assert [path.name for path in tmp_path.iterdir()] == ["a:b%d.mp4"]


@pytest.mark.parametrize("name", ["game.avi", "game", "missing/game.mp4", "file/game.mp4", "folder.mp4"])
def test_what_cannot_be_written_is_said_before_anything_is_played(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UserError) as caught:
        check_target(tmp_path / name)
    assert str(tmp_path) in str(caught.value)
