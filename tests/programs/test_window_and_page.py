"""play.py --render in a real window of an X server, with keys and the close button from outside."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from Xlib import X, display
from Xlib.protocol import event

ROOT = Path(__file__).parents[2]
SCREEN = (1000, 800)
NEEDED = ("Xvfb", "xdotool")

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in NEEDED), reason=f"needs {' and '.join(NEEDED)}"
)


@pytest.fixture(scope="module")
def x_server() -> Iterator[str]:
    """The display of an X server."""
    reader, writer = os.pipe()
    # It resets when its last client leaves, unless told otherwise: a window that opens meanwhile is lost.
    command = ["Xvfb", "-noreset", "-displayfd", str(writer), "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    number = os.read(reader, 16).decode().strip()
    yield f":{number}"
    server.terminate()
    server.wait()


class Watched:
    """A running play.py --render."""

    def __init__(self, x_server: str, model: Path, folder: Path) -> None:
        self._environment = os.environ | {"DISPLAY": x_server}
        self._environment.pop("SDL_VIDEODRIVER", None)
        command = [sys.executable, str(ROOT / "play.py"), str(model), "--render"]
        self.process = subprocess.Popen(
            command, cwd=folder, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wait_for(lambda: self._find() or self.process.poll() is not None)
        assert self.process.poll() is None, f"it ended before its window was found: {self.process.communicate()[0]}"
        self.window = self._find()

    def _xdotool(self, *arguments: str) -> str:
        command = ["xdotool", *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False).stdout

    def _find(self) -> str:
        return self._xdotool("search", "--onlyvisible", "--class", ".").strip()

    def press(self, key: str) -> None:
        self._xdotool("windowfocus", self.window, "key", key)

    def click_close_button(self) -> None:
        """Do what a window manager does when its close button is clicked: it asks the window to close."""
        server = display.Display(self._environment["DISPLAY"])
        window = server.create_resource_object("window", int(self.window))
        protocols, delete = (server.intern_atom(name) for name in ("WM_PROTOCOLS", "WM_DELETE_WINDOW"))
        asked = event.ClientMessage(window=window, client_type=protocols, data=(32, [delete, X.CurrentTime, 0, 0, 0]))
        window.send_event(asked)
        server.flush()

    def take_away(self) -> None:
        """Destroy the window from outside."""
        self._xdotool("windowclose", self.window)

    def look(self) -> np.ndarray:
        """Return a screenshot, ``(height, width, 3)``."""
        grab = ["-f", "x11grab", "-video_size", f"{SCREEN[0]}x{SCREEN[1]}", "-i", self._environment["DISPLAY"]]
        raw = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *grab, *raw]
        done = subprocess.run(command, capture_output=True, check=True, env=self._environment)
        return np.frombuffer(done.stdout, np.uint8).reshape(SCREEN[1], SCREEN[0], 3)

    def changes(self) -> bool:
        """Tell whether the picture moves within half a second."""
        before = self.look()
        time.sleep(0.5)
        return not np.array_equal(before, self.look())


def wait_for(condition: Callable[[], object], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


@pytest.fixture
def watched(x_server: str, checkpoint_path: Path, tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(x_server, checkpoint_path, tmp_path)
    yield watched
    watched.process.kill()
    watched.process.wait()


def test_the_window_is_driven_by_keys(watched: Watched, tmp_path: Path) -> None:
    assert watched.changes(), "the game moves"
    watched.press("v")
    time.sleep(1.0)
    watched.press("v")
    watched.press("space")
    wait_for(lambda: not watched.changes())
    plain = watched.look()
    assert (plain == (200, 72, 72)).all(axis=2).sum() > 5000, "the red bricks are there"
    watched.press("h")
    wait_for(lambda: not np.array_equal(watched.look(), plain))
    watched.press("h")
    wait_for(lambda: np.array_equal(watched.look(), plain))
    watched.press("s")
    wait_for(lambda: not np.array_equal(watched.look(), plain))
    looking = watched.look()
    watched.press("period")
    wait_for(lambda: not np.array_equal(watched.look(), looking))
    assert not watched.changes(), "one step, and no more"
    watched.press("q")
    printed, _ = watched.process.communicate(timeout=10)
    assert watched.process.returncode == 0
    assert "Traceback" not in printed
    (video,) = tmp_path.glob("breakout-*.mp4")
    assert f"recorded: {video.name}" in printed
    assert imageio_ffmpeg.count_frames_and_secs(str(video))[0] > 0


def test_escape_closes_it(watched: Watched) -> None:
    watched.press("Escape")
    assert watched.process.wait(timeout=10) == 0


def test_the_close_button_ends_the_program(watched: Watched) -> None:
    watched.click_close_button()
    printed, _ = watched.process.communicate(timeout=10)
    assert watched.process.returncode == 0
    assert "No game was played to its end." in printed


def test_a_window_that_is_taken_away_ends_the_program(watched: Watched) -> None:
    watched.take_away()
    assert "Traceback" not in watched.process.communicate(timeout=10)[0]
