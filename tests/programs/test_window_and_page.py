"""play.py --render in a real window of an X server, with keys and the close button from outside."""

import os
import shutil
import sys
import time
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

import imageio_ffmpeg
import numpy as np
import pytest
from Xlib import X, display
from Xlib.protocol import event

from tests.running import Program, run, wait_for

ROOT = Path(__file__).parents[2]
SCREEN = (1000, 800)
NEEDED = ("Xvfb", "xdotool")

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in NEEDED), reason=f"needs {' and '.join(NEEDED)}"
)


@pytest.fixture
def x_server() -> str:
    """The display of an X server, which no earlier test's window is on."""
    reader, writer = os.pipe()
    # It resets when its last client leaves, unless told otherwise: a window that opens meanwhile is lost.
    command = ["Xvfb", "-noreset", "-displayfd", str(writer), "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24"]
    Program(command, pass_fds=[writer], stderr=DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as told:
        number = told.readline().strip()  # once it takes clients
    assert number, "the X server did not start"
    return f":{number}"


class Watched:
    """A running play.py --render."""

    def __init__(self, x_server: str, model: Path, folder: Path) -> None:
        self._environment = os.environ | {"DISPLAY": x_server}
        self._environment.pop("SDL_VIDEODRIVER", None)
        command = [sys.executable, str(ROOT / "play.py"), str(model), "--render"]
        self.process = Program(command, cwd=folder, env=self._environment, stdout=PIPE, stderr=STDOUT, text=True)
        wait_for(self._find)
        self.window = self._find()

    def _xdotool(self, *arguments: str) -> str:
        command = ["xdotool", *arguments]
        return str(run(command, env=self._environment, capture_output=True, text=True).stdout)

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
        server.sync()
        server.close()

    def take_away(self) -> None:
        """Destroy the window from outside."""
        self._xdotool("windowclose", self.window)

    def look(self) -> np.ndarray:
        """Return a screenshot, ``(height, width, 3)``."""
        grab = ["-f", "x11grab", "-video_size", f"{SCREEN[0]}x{SCREEN[1]}", "-i", self._environment["DISPLAY"]]
        raw = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *grab, *raw]
        done = run(command, capture_output=True, check=True, env=self._environment)
        return np.frombuffer(done.stdout, np.uint8).reshape(SCREEN[1], SCREEN[0], 3)

    def differs(self, before: np.ndarray) -> bool:
        return not np.array_equal(self.look(), before)

    def changes(self) -> bool:
        """Tell whether the picture moves within half a second."""
        before = self.look()
        time.sleep(0.5)
        return self.differs(before)

    def still(self) -> np.ndarray:
        """Return the picture once it has stayed the same for two seconds; a slow machine's moves now and then."""
        wait_for(lambda: not any(self.changes() for _ in range(4)))
        return self.look()


@pytest.fixture
def watched(x_server: str, checkpoint_path: Path, tmp_path: Path) -> Watched:
    return Watched(x_server, checkpoint_path, tmp_path)


def test_the_window_is_driven_by_keys(watched: Watched, tmp_path: Path) -> None:
    wait_for(watched.changes)
    watched.press("v")
    wait_for(lambda: any(tmp_path.glob(".breakout-*.mp4")))
    watched.press("v")
    watched.press("space")
    plain = watched.still()
    assert (plain == (200, 72, 72)).all(axis=2).sum() > 5000, "the red bricks are there"
    watched.press("h")
    wait_for(lambda: watched.differs(plain))
    watched.press("h")
    wait_for(lambda: not watched.differs(plain))
    watched.press("s")
    wait_for(lambda: watched.differs(plain))
    looking = watched.look()
    watched.press("period")
    wait_for(lambda: watched.differs(looking))
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
