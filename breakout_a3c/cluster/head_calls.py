"""Calls of a cluster's head, which may never answer: a thread makes them, and the program does not wait for it."""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any


class HeadCalls:
    """A thread that makes calls, one after another.

    It does not keep the program from ending, as those of an executor would.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._last: Future[Any] | None = None
        threading.Thread(target=self._make, name="head-calls", daemon=True).start()

    def begin(self, call: Callable[[], Any]) -> "Future[Any]":
        """Have a call made after those before it; return the promise of its answer."""
        promise: Future[Any] = Future()
        self._last = promise
        self._calls.put((promise, call))
        return promise

    def done_within(self, seconds: float) -> bool:
        """Wait until all calls are made, at most so long; return whether they are."""
        return self._last is None or not wait([self._last], seconds).not_done

    def _make(self) -> None:
        while True:
            promise, call = self._calls.get()
            try:
                promise.set_result(call())
            except Exception as error:
                promise.set_exception(error)


class Look:
    """Looks at something now and then without waiting for it long.

    Args:
        calls: Makes the calls.
        call: Returns what is seen.

    Attributes:
        seen: What was seen last; None before.
    """

    def __init__(self, calls: HeadCalls, call: Callable[[], Any]) -> None:
        self.seen: Any = None
        self._calls = calls
        self._call = call
        self._promise: Future[Any] | None = None
        self._began = 0.0

    def look(self, seconds: float) -> float:
        """Look for at most so many seconds; return for how long there has been no answer.

        Raises:
            Exception: What the call raised.
        """
        if self._promise is None:
            self._promise, self._began = self._calls.begin(self._call), time.monotonic()
        if wait([self._promise], seconds).not_done:
            return time.monotonic() - self._began
        promise, self._promise = self._promise, None
        self.seen = promise.result()
        return 0.0
