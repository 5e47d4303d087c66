"""The page: a display for games in a browser, with buttons, for a machine without a screen.

It serves this machine alone, unless it is told otherwise: see page_address.py. Any port may stand behind this
machine's name: ssh -L 9000:localhost:8000 makes it another one.
"""

import html
import json
import math
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

import cv2
from werkzeug.exceptions import HTTPException, abort
from werkzeug.routing import Map, Rule
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from breakout_a3c.playing.controls import COMMANDS, HOLDS, Controls
from breakout_a3c.playing.page_address import Address
from breakout_a3c.playing.scene import PICTURE_HEIGHT, Scene, draw_scene
from breakout_a3c.playing.show import Pacer

MAX_PICTURES_PER_SECOND = 30
PICTURE_SECONDS = 1 / MAX_PICTURES_PER_SECOND
# A picture may come so early: without this, jitter would put off every second one by a frame of the game.
EARLY_SECONDS = PICTURE_SECONDS / 4
BUTTONS = ("pause", "step", "slower", "faster", "restart", "greedy", "saliency", "frames", "human", "record")
BOUNDARY = b"picture"
SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",  # another site's page cannot show the stream
    "X-Content-Type-Options": "nosniff",
}
URLS = Map(
    [
        Rule("/", endpoint="page", methods=["GET"]),
        Rule("/stream", endpoint="stream", methods=["GET"]),
        Rule("/press/<command>", endpoint="press", methods=["POST"]),
        Rule("/hold/", endpoint="hold", defaults={"keys": ""}, methods=["POST"]),
        Rule("/hold/<keys>", endpoint="hold", methods=["POST"]),
    ]
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>%(title)s</title>
<meta name="viewport" content="width=device-width">
<style>
body { background: #14151c; color: #eceef5; font: 16px sans-serif; margin: 2vh auto; text-align: center; }
img { max-width: 96vw; max-height: 84vh; display: block; margin: 0 auto 2vh; }
button { background: #2a2c38; color: inherit; font: inherit; border: 0; border-radius: 4px; padding: .5em 1em; }
button:hover { background: #586eaa; }
</style></head><body>
<img src="/stream" alt="the game and the policy, live">
%(buttons)s
<script>
const gameKeys = {ArrowUp: "UP", ArrowDown: "DOWN", ArrowRight: "RIGHT", ArrowLeft: "LEFT", " ": "FIRE"};
let viewerPlays = %(viewer_plays)s, held = [], sent = Promise.resolve();
function hold(keys) {
  held = keys;  // one request after the other: two at once may arrive in the wrong order
  sent = sent.then(() => fetch("/hold/" + keys, {method: "POST", keepalive: true})).catch(() => {});
}
const releaseAll = () => hold([]);
for (const button of document.querySelectorAll("button"))
  button.onclick = async () => {
    const before = viewerPlays;
    viewerPlays = (await (await fetch("/press/" + button.id, {method: "POST"})).json()).viewer_plays;
    if (viewerPlays != before) releaseAll();
    if (viewerPlays) button.blur();  // or space would click it again
  };
function useKey(event) {
  const key = gameKeys[event.key], pressed = event.type == "keydown";
  if (!key || (pressed && !viewerPlays)) return;  // a release counts whoever plays
  if (viewerPlays) event.preventDefault();  // the page does not scroll
  if (event.repeat) return;
  const others = held.filter(other => other != key);
  hold(pressed ? [...others, key] : others);
}
addEventListener("keydown", useKey);
addEventListener("keyup", useKey);
for (const left of ["blur", "pagehide"]) addEventListener(left, releaseAll);  // releases elsewhere are not seen
</script></body></html>
"""


class QuietHandler(WSGIRequestHandler):
    """Answers requests without a log."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Print nothing."""


class PageServer(ThreadedWSGIServer):
    """Ends its connections when it closes: Python can crash while it ends if a thread of theirs still runs."""

    daemon_threads = False  # server_close waits for them

    def __init__(self, application: Callable[..., Iterable[bytes]], listening: socket.socket) -> None:
        self._connections: set[socket.socket] = set()
        host, port, *_ = listening.getsockname()  # two more of IPv6
        super().__init__(host, port, application, QuietHandler, fd=listening.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer the requests of a connection, in a thread of its own."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection that is answered."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End all connections, the idle ones and those of browsers that read nothing too."""
        for connection in tuple(self._connections):
            with suppress(OSError):  # it ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()


class Page:
    """The page; a context manager that serves it.

    Args:
        controls: Set by its buttons.
        address: Where it is; port 0 for a free one.
        waits_for_viewers: Whether the games stand still while nobody looks.

    Raises:
        UserError: If the address is not available.
    """

    def __init__(self, controls: Controls, address: Address, waits_for_viewers: bool = False) -> None:
        self._controls = controls
        self._waits_for_viewers = waits_for_viewers
        self._viewers = 0
        self._pacer = Pacer()
        self._picture_due = -math.inf
        self._picture = b""
        self._title = "A3C"
        self._new_picture = threading.Condition()
        # Bound here: for a port in use, werkzeug would print its own message and end the program.
        self._socket = address.listen()
        self._server = PageServer(self._answer, self._socket)
        self._serving = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)
        self.port = self._server.port
        self._address = replace(address, port=self.port)

    def __enter__(self) -> "Page":
        self._serving.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._controls.closed = True
        with self._new_picture:
            self._new_picture.notify_all()
        self._server.shutdown()
        self._serving.join()  # it closes the server
        self._socket.close()

    def draw(self, scene: Scene) -> None:
        """Send a scene to the browsers, unless the next picture is not due yet."""
        now = self._pacer.clock()
        if now < self._picture_due - EARLY_SECONDS:
            return
        self._picture_due = max(self._picture_due, now) + PICTURE_SECONDS
        self._title = scene.title
        picture = draw_scene(scene, PICTURE_HEIGHT)
        _, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
        with self._new_picture:
            self._picture = encoded.tobytes()
            self._new_picture.notify_all()

    def wait(self, seconds: float) -> None:
        """Sleep until the next scene is due; after a delay, scenes do not come in a rush."""
        if self._waits_for_viewers:
            self.wait_for_viewer()
        self._pacer.wait(seconds, max_late_seconds=seconds)

    def wait_for_viewer(self) -> None:
        """Sleep until somebody looks, or the page is closed."""
        with self._new_picture:
            self._new_picture.wait_for(lambda: self._viewers or self._controls.closed)

    def pause(self) -> None:
        """Sleep for a second, or until the page is closed."""
        with self._new_picture:
            self._new_picture.wait_for(lambda: self._controls.closed, timeout=1.0)

    def handle_input(self) -> None:
        """Do nothing: the threads that answer requests press the buttons."""

    def _answer(self, environment: dict[str, object], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        request = Request(environment)
        try:
            response = self._address.check(request) or self._respond(request)
        except HTTPException as error:
            response = error.get_response()
        response.headers.extend(SECURITY)
        answer: Iterable[bytes] = response(environment, start_response)
        return answer

    def _respond(self, request: Request) -> Response:
        endpoint, arguments = URLS.bind_to_environ(request.environ).match()
        response: Response = getattr(self, f"_{endpoint}")(**arguments)
        return response

    def _page(self) -> Response:
        buttons = "\n".join(f'<button id="{name}">{COMMANDS[name][1]}</button>' for name in BUTTONS)
        values = {
            "title": html.escape(self._title),
            "buttons": buttons,
            "viewer_plays": str(self._controls.human).lower(),
        }
        return Response(PAGE % values, mimetype="text/html")

    def _press(self, command: str) -> Response:
        if command not in BUTTONS:
            abort(404)
        self._controls.press(command)
        return Response(json.dumps({"viewer_plays": self._controls.human}), mimetype="application/json")

    def _hold(self, keys: str) -> Response:
        """Hold the keys down whose names stand in ``keys``, and no other one; the newest is the last."""
        held = tuple(dict.fromkeys(keys.split(","))) if keys else ()
        if not set(held) <= set(HOLDS):
            abort(404)
        self._controls.held = held
        return Response(status=204)

    def _stream(self) -> Response:
        """Send each new picture in place of the last one; browsers show that as a film."""
        return Response(self._pictures(), mimetype=f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}")

    def _pictures(self) -> Iterator[bytes]:
        with self._looking():
            while not self._controls.closed:
                if picture := self._picture:
                    head = b"--%b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
                    yield head % (BOUNDARY, len(picture)) + picture + b"\r\n"
                with self._new_picture:
                    self._new_picture.wait(timeout=1.0)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Count a viewer; one that is gone is noticed when it is sent a picture, once a second at least."""
        with self._new_picture:
            self._viewers += 1
            self._new_picture.notify_all()
        try:
            yield
        finally:
            with self._new_picture:
                self._viewers -= 1
