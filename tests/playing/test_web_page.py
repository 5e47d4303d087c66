"""The page: its picture, its buttons, and the requests that it refuses."""

import http.client
import itertools
import json
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, STDOUT

import cv2
import numpy as np
import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from breakout_a3c.errors import UserError
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning.networks import make_network
from breakout_a3c.playing import web_page
from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.page_address import Address
from breakout_a3c.playing.player import Player
from breakout_a3c.playing.recording import RecordingOnDemand
from breakout_a3c.playing.scene import Scene, draw_scene
from breakout_a3c.playing.show import Pacer, show_game
from breakout_a3c.playing.web_page import BUTTONS, MAX_PICTURES_PER_SECOND, Page
from breakout_a3c.presets import PRESETS
from tests.playing.test_show import FakeTime
from tests.playing.test_window import KEYS_OF, SCENE
from tests.running import Program, marked_environment, wait_for

BROWSER = ("chromium", "chromedriver")
BROWSER_KEYS = {
    "UP": Keys.ARROW_UP,
    "DOWN": Keys.ARROW_DOWN,
    "LEFT": Keys.ARROW_LEFT,
    "RIGHT": Keys.ARROW_RIGHT,
    "FIRE": Keys.SPACE,
}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def page() -> Iterator[tuple[Page, Controls]]:
    """A page that shows one scene over and over."""
    controls = Controls()
    with Page(controls, Address(0)) as page:
        show = (page, itertools.repeat(SCENE), 60, controls, RecordingOnDemand(controls))
        showing = threading.Thread(target=show_game, args=show)
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


def test_no_thread_of_the_page_is_left_when_it_is_closed() -> None:
    before = threading.active_count()
    with Page(Controls(), Address(0)) as page:
        page._picture = bytes(10_000_000)  # more than the buffers of a connection hold
        idle, streaming = (socket.create_connection(("127.0.0.1", page.port), timeout=10) for _ in range(2))
        streaming.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        streaming.recv(1)  # and no more
        wait_for(lambda: threading.active_count() == before + 3)
    assert threading.active_count() == before
    assert idle.recv(1) == b""
    idle.close()
    streaming.close()


def test_the_stream_shows_the_picture(page: tuple[Page, Controls]) -> None:
    answer = ask(page[0], "GET", "/stream")
    assert (answer.getheader("Content-Type") or "").startswith("multipart/x-mixed-replace")
    while not (line := answer.readline()).startswith(b"Content-Length"):
        pass
    answer.readline()
    encoded = answer.read(int(line.split(b":")[1]))
    shown = cv2.cvtColor(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    drawn = draw_scene(SCENE)
    assert shown.shape == drawn.shape
    assert np.abs(shown.astype(int) - drawn).mean() < 5, "JPEG, and the speed is shown beside it"


@pytest.mark.parametrize("jitter", [0.0, 0.003], ids=["exact sleep", "sleep that varies"])
@pytest.mark.parametrize(("frames_per_second", "drawn"), [(25, 25), (50, 25), (60, 30), (1000, 30)])
def test_at_most_30_pictures_a_second_are_drawn(
    frames_per_second: int, drawn: int, jitter: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_PICTURES_PER_SECOND == 30
    time, controls, pictures = FakeTime(), Controls(), []
    lateness = itertools.cycle((0.0, jitter, jitter / 3))
    monkeypatch.setattr(web_page, "draw_scene", lambda scene, height: pictures.append(time.now) or scene.screen)
    with Page(controls, Address(0)) as page:
        page._pacer = Pacer(time.clock, lambda seconds: time.sleep(seconds + next(lateness)))
        two_seconds = itertools.repeat(SCENE, 2 * frames_per_second)
        assert show_game(page, two_seconds, frames_per_second, controls, RecordingOnDemand(controls))
    assert len(pictures) / time.now == pytest.approx(drawn, abs=1)


def test_after_a_delay_scenes_do_not_come_in_a_rush() -> None:
    time = FakeTime()
    with Page(Controls(), Address(0)) as page:
        page._pacer = Pacer(time.clock, time.sleep)
        time.now += 5.0
        for _ in range(10):
            page.wait(0.02)
    assert time.now == pytest.approx(5.0 + 8 * 0.02), "one scene is made good, no more"


def test_buttons_press(page: tuple[Page, Controls]) -> None:
    answer = ask(page[0], "POST", "/press/greedy")
    assert (answer.status, json.load(answer)) == (200, {"viewer_plays": False})
    assert page[1].greedy
    assert json.load(ask(page[0], "POST", "/press/human")) == {"viewer_plays": True}
    assert "viewerPlays = true" in ask(page[0], "GET", "/").read().decode(), "a page that is opened later knows it"


def test_keys_are_held_as_the_page_says(page: tuple[Page, Controls]) -> None:
    for path, held in (("UP,FIRE", ("UP", "FIRE")), ("FIRE,UP,FIRE", ("FIRE", "UP")), ("", ())):
        assert ask(page[0], "POST", f"/hold/{path}").status == 204
        assert page[1].held == held


def test_the_page_is_called_by_the_game(page: tuple[Page, Controls]) -> None:
    wait_for(lambda: b"<title>breakout</title>" in ask(page[0], "GET", "/").read())


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/press/pause", {}, 405),
        ("POST", "/press/quit", {}, 404),
        ("POST", "/press/_speed", {}, 404),
        ("POST", "/hold/SELECT", {}, 404),
        ("POST", "/hold/UP,", {}, 404),
        ("GET", "/hold/UP", {}, 405),
        ("POST", "/hold/UP", {"Origin": "http://example.com"}, 403),
        ("GET", "/etc/passwd", {}, 404),
        ("GET", "/", {"Host": "example.com"}, 403),
        ("GET", "/stream", {"Host": "example.com:80"}, 403),
        ("GET", "/", {"Host": "localhost.example.com"}, 403),
        ("GET", "/", {"Host": "[::2]:8000"}, 403),
        ("GET", "/", {"Host": "[:::::]"}, 403),
        ("GET", "/", {"Host": "user@localhost"}, 403),
        ("GET", "/", {"Host": ""}, 403),
        ("POST", "/press/pause", {"Host": "localhost:9000", "Origin": "http://localhost:3000"}, 403),
        ("POST", "/press/pause", {"Host": "localhost:9000", "Origin": "http://example.com:9000"}, 403),
        ("POST", "/press/pause", {"Host": "localhost:9000", "Origin": "https://localhost:9000"}, 403),
        ("POST", "/press/pause", {"Origin": "http://example.com"}, 403),
        ("POST", "/press/pause", {"Origin": "null"}, 403),
        ("GET", "/stream", {"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_others_are_refused(
    page: tuple[Page, Controls], method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert ask(page[0], method, path, **headers).status == status
    assert page[1] == Controls()


@pytest.mark.parametrize("port", ["", ":80", ":9000", ":65535"])
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LocalHost"])
def test_every_name_of_this_machine_is_answered_whatever_the_port(
    page: tuple[Page, Controls], name: str, port: str
) -> None:
    """ssh -L 9000:localhost:8000 shows the page as http://localhost:9000."""
    host = f"{name}{port}"
    assert ask(page[0], "GET", "/", Host=host).status == 200
    origin = f"http://{host.removesuffix(':80')}"  # as a browser writes it
    assert ask(page[0], "POST", "/press/greedy", Host=host, Origin=origin).status == 200


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"Host": "example.com"}, "This page answers to its own machine alone: open http://localhost:{port} there."),
        ({"Origin": "http://example.com"}, "This page answers to its own buttons, not to the pages of other sites."),
    ],
)
def test_a_refusal_says_why(page: tuple[Page, Controls], headers: dict[str, str], sentence: str) -> None:
    refused = ask(page[0], "GET", "/", **headers).read().decode()
    assert sentence.format(port=page[0].port) in refused
    assert "Host" not in headers or f"ssh -L {page[0].port}:localhost:{page[0].port}" in refused


def test_no_other_site_can_show_the_page_or_the_stream(page: tuple[Page, Controls]) -> None:
    for path in ("/", "/stream", "/missing"):
        answer = ask(page[0], "GET", path)
        assert "frame-ancestors 'none'" in (answer.getheader("Content-Security-Policy") or "")
        assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"


def test_it_listens_on_this_machine_alone(page: tuple[Page, Controls]) -> None:
    assert page[0]._server.server_address[0] == "127.0.0.1"


def test_a_port_in_use_is_a_sentence(page: tuple[Page, Controls], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="give another one"):
        Page(Controls(), Address(page[0].port))
    assert capfd.readouterr() == ("", ""), "and nothing but it"


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that nobody else is given; a server that reuses addresses can listen on it."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.fixture
def browser() -> Iterator[Chrome]:
    """Headless Chromium."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1100,1000"):
        options.add_argument(argument)
    browser = Chrome(options, ChromeService(shutil.which("chromedriver"), env=marked_environment()))
    yield browser
    browser.quit()


@pytest.mark.skipif(not all(map(shutil.which, BROWSER)), reason=f"needs {' and '.join(BROWSER)}")
def test_in_a_browser_the_game_is_live_and_its_buttons_work(
    browser: Chrome, checkpoint_path: Path, tmp_path: Path, free_port: int
) -> None:
    command = [sys.executable, str(ROOT / "play.py"), str(checkpoint_path), "--serve", str(free_port)]
    playing = Program(command, stdout=PIPE, stderr=STDOUT, text=True, cwd=tmp_path)
    assert playing.stdout is not None
    assert f"http://127.0.0.1:{free_port}" in playing.stdout.readline()
    browser.get(f"http://127.0.0.1:{free_port}/")

    def look() -> np.ndarray:
        picture = cv2.imdecode(np.frombuffer(browser.get_screenshot_as_png(), np.uint8), cv2.IMREAD_COLOR)
        return picture[: picture.shape[0] * 4 // 5]  # above the buttons, which have a frame when they are clicked

    def moves() -> bool:
        before = look()
        time.sleep(0.5)
        return not np.array_equal(before, look())

    def red_bricks() -> int:
        return int((np.abs(look().reshape(-1, 3).astype(int) - (72, 72, 200)).max(axis=1) < 20).sum())

    wait_for(lambda: red_bricks() > 5000)
    wait_for(moves)
    browser.find_element(By.ID, "record").click()
    wait_for(lambda: any(tmp_path.glob(".breakout-*.mp4")))
    browser.find_element(By.ID, "pause").click()
    wait_for(lambda: not any(moves() for _ in range(4)))  # a slow machine's picture moves now and then
    still = look()
    for button in ("saliency", "frames", "greedy"):
        browser.find_element(By.ID, button).click()
        wait_for(lambda seen=still: not np.array_equal(look(), seen))
        still = look()
    browser.find_element(By.ID, "faster").click()
    browser.find_element(By.ID, "pause").click()
    wait_for(moves)
    playing.send_signal(signal.SIGINT)
    printed, _ = playing.communicate(timeout=10)
    assert playing.returncode == 0, printed
    (video,) = tmp_path.glob("breakout-*.mp4")
    assert f"recorded: {video.name}" in printed
    assert "Traceback" not in printed


@pytest.mark.skipif(not all(map(shutil.which, BROWSER)), reason=f"needs {' and '.join(BROWSER)}")
def test_all_18_actions_of_a_game_are_played_by_keys_in_a_browser(browser: Chrome) -> None:
    config = PRESETS["breakout"].replace_given({"game": "seaquest", "precision": "float32"})
    controls, scenes = Controls(), []
    network = make_network(config.network, make_environment(config.game))
    player = Player(network, config.game, Protocol(episodes=1), controls)
    assert set(player.action_names) == set(KEYS_OF)
    games = itertools.chain.from_iterable(map(player.play, itertools.repeat(0)))
    with Page(controls, Address(0)) as page:
        show = (page, remember(games, scenes), 60, controls, RecordingOnDemand(controls))
        showing = threading.Thread(target=show_game, args=show)
        showing.start()
        browser.get(f"http://localhost:{page.port}/")
        browser.find_element(By.TAG_NAME, "body").send_keys(Keys.ARROW_LEFT)
        browser.find_element(By.ID, "human").click()
        wait_for(lambda: browser.execute_script("return viewerPlays"))
        for name, keys in KEYS_OF.items():
            press, release = ActionChains(browser, duration=0), ActionChains(browser, duration=0)
            for key in keys:
                press.key_down(BROWSER_KEYS[key])
                release.key_up(BROWSER_KEYS[key])
            press.perform()
            wait_for(lambda wanted=name: player.action_names[scenes[-1].action] == wanted)
            release.perform()
            wait_for(lambda: controls.held == ())
        assert controls.human, "space has not clicked the button again"
        for released_by_the_page in (True, False):  # the agent plays while the key is released, or before that
            ActionChains(browser, duration=0).key_down(Keys.ARROW_LEFT).perform()
            wait_for(lambda: controls.held == ("LEFT",))
            browser.find_element(By.ID, "human").click()
            wait_for(lambda: not browser.execute_script("return viewerPlays"))  # the page knows it after the server
            if released_by_the_page:
                ActionChains(browser, duration=0).key_up(Keys.ARROW_LEFT).perform()
            browser.find_element(By.ID, "human").click()
            wait_for(lambda: browser.execute_script("return viewerPlays"))
            ActionChains(browser, duration=0).key_down(Keys.ARROW_UP).perform()
            wait_for(lambda: controls.held != ())
            assert controls.held == ("UP",), "no key sticks"
            ActionChains(browser, duration=0).key_up(Keys.ARROW_UP).key_up(Keys.ARROW_LEFT).perform()
            wait_for(lambda: controls.held == ())
        ActionChains(browser, duration=0).key_down(Keys.ARROW_LEFT).perform()
        wait_for(lambda: controls.held == ("LEFT",))
        browser.get("about:blank")
        wait_for(lambda: controls.held == ())
        controls.closed = True
        showing.join()


def remember(scenes: Iterator[Scene], kept: list[Scene]) -> Iterator[Scene]:
    """Yield scenes, and keep them."""
    for scene in scenes:
        kept.append(scene)
        yield scene
