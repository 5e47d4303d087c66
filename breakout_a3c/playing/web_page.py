"""The same picture on a page in a browser, for a machine without a display: live, with buttons.

The page is served to this machine alone: it listens on 127.0.0.1, and refuses requests for another host
or from another site's page.
"""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType

import cv2
from werkzeug.exceptions import HTTPException, abort
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from breakout_a3c.errors import UserError
from breakout_a3c.playing.controls import COMMANDS, Controls
from breakout_a3c.playing.recording import RecordingOnDemand
from breakout_a3c.playing.scene import PICTURE_HEIGHT, Scene, draw

HOST = "127.0.0.1"
PICTURES_PER_SECOND = 30
BUTTONS = ("pause", "step", "slower", "faster", "restart", "greedy", "saliency", "frames", "record")
BOUNDARY = b"picture"
OWN_SITES = ("same-origin", "none")  # none: typed by the user
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
    ]
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Breakout A3C</title>
<meta name="viewport" content="width=device-width">
<style>
body { background: #14151c; color: #eceef5; font: 16px sans-serif; margin: 2vh auto; text-align: center; }
img { max-width: 96vw; max-height: 84vh; display: block; margin: 0 auto 2vh; }
button { background: #2a2c38; color: inherit; font: inherit; border: 0; border-radius: 4px; padding: .5em 1em; }
button:hover { background: #586eaa; }
</style></head><body>
<img src="/stream" alt="the game and the policy, live">
%s
<script>
for (const button of document.querySelectorAll("button"))
  button.onclick = () => fetch("/press/" + button.id, {method: "POST"});
</script></body></html>
"""


class QuietHandler(WSGIRequestHandler):
    """Writes no line for each request."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


class Page:
    """The page; a context manager with the ``show`` of the window.

    Args:
        controls: What its buttons set.
        port: Of this machine; 0 for a free one.

    Raises:
        UserError: If the port cannot be had.
    """

    def __init__(self, controls: Controls, port: int) -> None:
        self._controls = controls
        self.recordings = RecordingOnDemand(controls)
        self._picture = b""
        self._new_picture = threading.Condition()
        # Bound here, as werkzeug would print its own words about a port in use and end the program.
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
        except OSError as error:
            raise UserError(
                f"the port {port} cannot be had ({error.strerror}): give another one, such as --serve {port + 1}."
            ) from error
        self._socket.listen()
        self._server = make_server(
            HOST, port, self._answer, threaded=True, request_handler=QuietHandler, fd=self._socket.fileno()
        )
        self.port = self._server.port

    def __enter__(self) -> "Page":
        threading.Thread(target=self._server.serve_forever, name="page", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._controls.closed = True
        self.recordings.finish()
        with self._new_picture:
            self._new_picture.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._socket.close()

    def show(self, scenes: Iterator[Scene], frames_per_second: int) -> bool:
        """Show one game until it is over or the user wants the next; return whether to go on."""
        controls = self._controls
        controls.next_game = False
        recorded = self.recordings.watch(scenes, frames_per_second)
        scene = next(recorded, None)
        seconds = 1 / frames_per_second
        shown_at = 0.0
        due = time.monotonic()
        while scene is not None and not controls.closed and not controls.next_game:
            if time.monotonic() - shown_at >= 1 / PICTURES_PER_SECOND:
                shown_at = time.monotonic()
                self._publish(scene)
            scene = controls.advance(recorded, scene, seconds)
            due = max(due + seconds, time.monotonic() - seconds)  # what is late is not caught up with a rush
            time.sleep(max(0.0, due - time.monotonic()))
        return not controls.closed

    def _publish(self, scene: Scene) -> None:
        shown = replace(scene, speed=self._controls.shown_speed(), footer=self.recordings.notice())
        picture = draw(shown, PICTURE_HEIGHT)
        _, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
        with self._new_picture:
            self._picture = encoded.tobytes()
            self._new_picture.notify_all()

    def _answer(self, environment: dict[str, object], start_response: object) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        request = Request(environment)
        try:
            self._check_origin(request)
            endpoint, arguments = URLS.bind_to_environ(request.environ).match()
            response = getattr(self, f"_{endpoint}")(**arguments)
        except HTTPException as error:
            response = error.get_response()
        response.headers.extend(SECURITY)
        answer: Iterable[bytes] = response(environment, start_response)
        return answer

    def _check_origin(self, request: Request) -> None:
        """Refuse another host's name for this machine, and whatever other sites' pages ask for."""
        hosts = {f"{HOST}:{self.port}", f"localhost:{self.port}"}
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
        foreign = (origin and origin not in {f"http://{host}" for host in hosts}) or site not in OWN_SITES
        if request.host not in hosts or foreign:
            abort(403)

    def _page(self) -> Response:
        buttons = "\n".join(f'<button id="{name}">{COMMANDS[name][1]}</button>' for name in BUTTONS)
        return Response(PAGE % buttons, mimetype="text/html")

    def _press(self, command: str) -> Response:
        if command not in BUTTONS:
            abort(404)
        self._controls.press(command)
        return Response(status=204)

    def _stream(self) -> Response:
        """Send each new picture in place of the last one, which browsers show as a film."""
        return Response(self._pictures(), mimetype=f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}")

    def _pictures(self) -> Iterator[bytes]:
        while not self._controls.closed:
            if picture := self._picture:
                head = b"--%b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
                yield head % (BOUNDARY, len(picture)) + picture + b"\r\n"
            with self._new_picture:
                self._new_picture.wait(timeout=1.0)
