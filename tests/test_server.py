"""The page: what it shows, what its buttons do, and whom it answers."""

import http.client
import itertools
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from breakout_a3c.controls import Controls
from breakout_a3c.drawing import draw
from breakout_a3c.errors import UserError
from breakout_a3c.server import BUTTONS, Page
from tests.test_viewer import SCENE

ROOT = Path(__file__).parents[1]


@pytest.fixture
def page() -> Iterator[tuple[Page, Controls]]:
    """A page that shows one scene over and over."""
    controls = Controls()
    with Page(controls, 0) as page:
        showing = threading.Thread(target=page.show, args=(itertools.repeat(SCENE), 60))
        showing.start()
        yield page, controls
        controls.closed = True
        showing.join()


def ask(page: Page, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.request(method, path, headers=headers)
    return connection.getresponse()


def test_the_page_has_a_button_for_each_command(page: tuple[Page, Controls]) -> None:
    text = ask(page[0], "GET", "/").read().decode()
    assert all(f'<button id="{name}">' in text for name in BUTTONS)
    assert 'src="/stream"' in text


def test_the_stream_shows_the_picture(page: tuple[Page, Controls]) -> None:
    answer = ask(page[0], "GET", "/stream")
    assert (answer.getheader("Content-Type") or "").startswith("multipart/x-mixed-replace")
    while not (line := answer.readline()).startswith(b"Content-Length"):
        pass
    answer.readline()
    encoded = answer.read(int(line.split(b":")[1]))
    shown = cv2.cvtColor(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    drawn = draw(SCENE)
    assert shown.shape == drawn.shape
    assert np.abs(shown.astype(int) - drawn).mean() < 5, "JPEG, and the speed is shown beside it"


def test_buttons_press(page: tuple[Page, Controls]) -> None:
    assert ask(page[0], "POST", "/press/greedy").status == 204
    assert page[1].greedy


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/press/pause", {}, 405),
        ("POST", "/press/quit", {}, 404),
        ("POST", "/press/_speed", {}, 404),
        ("GET", "/etc/passwd", {}, 404),
        ("GET", "/", {"Host": "example.com"}, 403),
        ("GET", "/stream", {"Host": "example.com:80"}, 403),
        ("POST", "/press/pause", {"Origin": "http://example.com"}, 403),
        ("POST", "/press/pause", {"Origin": "null"}, 403),
    ],
)
def test_others_are_refused(
    page: tuple[Page, Controls], method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert ask(page[0], method, path, **headers).status == status
    assert page[1] == Controls()


def test_no_other_site_can_show_the_page_or_the_stream(page: tuple[Page, Controls]) -> None:
    for path in ("/", "/stream", "/missing"):
        answer = ask(page[0], "GET", path)
        assert "frame-ancestors 'none'" in (answer.getheader("Content-Security-Policy") or "")
        assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"


def test_it_listens_on_this_machine_alone(page: tuple[Page, Controls]) -> None:
    assert page[0]._server.server_address[0] == "127.0.0.1"


def test_a_port_in_use_is_a_sentence(page: tuple[Page, Controls], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="give another one"):
        Page(Controls(), page[0].port)
    assert capfd.readouterr() == ("", ""), "and nothing but it"


def free_port() -> int:
    with Page(Controls(), 0) as page:
        return page.port


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
def test_in_a_browser_the_game_is_live(checkpoint_path: Path, tmp_path: Path) -> None:
    port, picture = free_port(), tmp_path / "page.png"
    command = [sys.executable, str(ROOT / "play.py"), str(checkpoint_path), "--serve", str(port)]
    playing = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert playing.stdout is not None
        assert f"http://127.0.0.1:{port}" in playing.stdout.readline()
        time.sleep(2)
        browser = ["chromium", "--headless", "--no-sandbox", "--window-size=1100,1000", "--virtual-time-budget=3000"]
        page = f"http://127.0.0.1:{port}/"
        subprocess.run([*browser, f"--screenshot={picture}", page], check=True, timeout=60, capture_output=True)
    finally:
        playing.send_signal(signal.SIGINT)
        playing.communicate(timeout=10)
    shown = cv2.imread(str(picture))
    assert shown is not None
    red_wall = (shown.reshape(-1, 3).astype(int) - (72, 72, 200)).__abs__().max(axis=1) < 20
    assert red_wall.sum() > 5000, "the bricks are in the picture"
