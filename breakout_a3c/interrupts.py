"""Ctrl-C, where it would be lost or destroy something."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
