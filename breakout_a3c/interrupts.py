"""Ctrl-C, where it would be lost or destroy something."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_heard: list[int] = []  # since they are remembered, or were taken


@contextmanager
def interrupts_remembered() -> Iterator[None]:
    """Remember each Ctrl-C of the block beside raising it: some packages ignore all exceptions while they start."""
    _heard.clear()
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # it is ignored, or somebody else's
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        _heard.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def take_interrupts() -> list[int]:
    """Return what was remembered since the last call: each Ctrl-C that has not ended the program."""
    heard = _heard[:]
    _heard.clear()
    return heard


@contextmanager
def interrupts_delayed() -> Iterator[None]:
    """Delay a Ctrl-C until the block's end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals interrupt the main thread alone
        return
    delayed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: delayed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if delayed:
        signal.raise_signal(signal.SIGINT)
