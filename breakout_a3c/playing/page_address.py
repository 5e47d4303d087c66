"""Where the page is, and who may see it.

On this machine's loopback everybody on it may. Beyond that, only who knows the random token in the address, as in
notebooks: the browser keeps it as a cookie afterwards.
"""

import hmac
import secrets
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from werkzeug.exceptions import abort
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from breakout_a3c.command_line import LOOPBACK
from breakout_a3c.errors import UserError

OWN_NAMES = (LOOPBACK, "localhost", "::1")
OWN_SITES = ("same-origin", "none")  # of Sec-Fetch-Site; none: the user typed the address
TOKEN_BYTES = 24
TOKEN = "token"


@dataclass(frozen=True, slots=True)
class Address:
    """An address of the page; beyond loopback it has a token."""

    port: int
    host: str = LOOPBACK
    token: str = ""

    @classmethod
    def beyond_loopback(cls, port: int, host: str) -> "Address":
        """Return an address with a token, unless ``host`` is loopback after all."""
        return cls(port, host, "" if host in OWN_NAMES else secrets.token_urlsafe(TOKEN_BYTES))

    @property
    def url(self) -> str:
        """What a user opens."""
        shown = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host
        shown = f"[{shown}]" if ":" in shown else shown
        return f"http://{shown}:{self.port}" + (f"/?{TOKEN}={self.token}" if self.token else "")

    @property
    def cookie(self) -> str:
        """The name of the cookie: a browser sends those of all ports."""
        return f"breakout-a3c-{self.port}"

    def listen(self) -> socket.socket:
        """Return a socket that listens there.

        Raises:
            UserError: If the port is not available, or the host is no address of this machine.
        """
        listening = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self.host, self.port))
        except OSError as error:
            listening.close()
            if self.host != LOOPBACK and not can_bind(self.host):
                raise UserError(
                    f"{self.host!r:.60} is no address of this machine ({error.strerror}): "
                    f"give one, or --host 0.0.0.0 for all."
                ) from error
            raise UserError(
                f"the port {self.port} is not available ({error.strerror}): "
                f"give another one, such as --serve {self.port + 1}."
            ) from error
        listening.listen()
        return listening

    def check(self, request: Request) -> Response | None:
        """Refuse a request that may not see the page, by an HTTPException.

        Returns:
            What answers one that brings the token; None to answer the request itself.
        """
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
        if not self.token and not is_own_name(request.host):
            abort(
                403,
                f"This page answers to its own machine alone: open http://localhost:{self.port} there. On another "
                f"machine, type ssh -L {self.port}:localhost:{self.port} and this machine's name first.",
            )
        brought = self.token and same(request.args.get(TOKEN, ""), self.token)
        if brought and request.method == "GET" and request.path == "/":  # a link in a mail comes from another site
            answer = redirect("/")
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="Strict")
            return answer
        if (origin and origin != f"http://{request.host}") or site not in OWN_SITES:
            abort(403, "This page answers to its own buttons, not to the pages of other sites.")
        if self.token and not same(request.cookies.get(self.cookie, ""), self.token):
            abort(403, "This page wants the token of its address: open the whole address that the program printed.")
        return None


def same(given: str, token: str) -> bool:
    """Return whether two texts are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode(), token.encode())


def can_bind(host: str) -> bool:
    """Return whether ``host`` is an address of this machine."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        try:
            tried.bind((host, 0))
        except OSError:
            return False
    return True


def is_own_name(host: str) -> bool:
    """Return whether ``host``, as a browser asks for it, is a name of this machine, with any port or none."""
    try:
        return urlsplit(f"//{host}").hostname in OWN_NAMES
    except ValueError:
        return False
