"""Who may see the page: this machine, and beyond it whoever has the token."""

import http.client
import socket
from collections.abc import Iterator

import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.page_address import TOKEN_BYTES, Address
from breakout_a3c.playing.web_page import Page

FOUND, FORBIDDEN = 302, 403


@pytest.fixture
def page() -> Iterator[tuple[Page, Address]]:
    """A page beyond loopback, with a token."""
    address = Address.beyond_loopback(0, "0.0.0.0")
    with Page(Controls(), address) as page:
        yield page, address


def ask(page: Page, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.request(method, path, headers=headers)
    return connection.getresponse()


def cookie_of(page: Page, address: Address) -> str:
    brought = ask(page, "GET", f"/?token={address.token}")
    assert brought.status == FOUND
    return (brought.getheader("Set-Cookie") or "").partition(";")[0]


def test_only_a_page_beyond_loopback_has_a_token() -> None:
    assert Address.beyond_loopback(8000, "127.0.0.1") == Address(8000)
    assert Address.beyond_loopback(8000, "localhost").token == ""
    tokens = {Address.beyond_loopback(8000, "0.0.0.0").token for _ in range(10)}
    assert len(tokens) == 10
    assert min(map(len, tokens)) >= TOKEN_BYTES


def test_the_address_has_the_token_and_this_machines_name() -> None:
    assert Address(8000).url == "http://127.0.0.1:8000"
    assert Address(8000, "0.0.0.0", "abc").url == f"http://{socket.gethostname()}:8000/?token=abc"
    assert Address(8000, "fe80::1", "abc").url == "http://[fe80::1]:8000/?token=abc"


@pytest.mark.parametrize("path", ["/", "/stream", "/?token=wrong", "/missing", "/?token="])
def test_nothing_is_shown_without_the_token(page: tuple[Page, Address], path: str) -> None:
    answer = ask(page[0], "GET", path)
    assert answer.status == FORBIDDEN
    assert "wants the token of its address" in answer.read().decode()


def test_no_button_is_pressed_without_the_token(page: tuple[Page, Address]) -> None:
    assert ask(page[0], "POST", "/press/pause").status == FORBIDDEN
    assert ask(page[0], "POST", f"/press/pause?token={page[1].token}").status == FORBIDDEN
    assert not page[0]._controls.paused


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(page: tuple[Page, Address]) -> None:
    brought = ask(page[0], "GET", f"/?token={page[1].token}")
    assert brought.status == FOUND
    assert brought.getheader("Location") == "/"
    cookie = brought.getheader("Set-Cookie") or ""
    assert cookie.startswith(f"breakout-a3c-{page[0].port}={page[1].token};")
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))


def test_with_the_cookie_it_is_seen_and_pressed(page: tuple[Page, Address]) -> None:
    cookie = cookie_of(*page)
    assert ask(page[0], "GET", "/", Cookie=cookie, Host="workstation:8000").status == 200
    assert ask(page[0], "POST", "/press/pause", Cookie=cookie).status == 200
    assert page[0]._controls.paused


def test_other_sites_press_nothing_even_with_the_cookie(page: tuple[Page, Address]) -> None:
    cookie = cookie_of(*page)
    for headers in ({"Origin": "http://example.com"}, {"Sec-Fetch-Site": "cross-site"}):
        assert ask(page[0], "POST", "/press/pause", Cookie=cookie, **headers).status == FORBIDDEN
    assert not page[0]._controls.paused


def test_an_address_of_another_machine_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"'192\.0\.2\.1' is no address of this machine"):
        Address.beyond_loopback(0, "192.0.2.1").listen()
    with pytest.raises(UserError, match="'no such host' is no address of this machine"):
        Address.beyond_loopback(0, "no such host").listen()
