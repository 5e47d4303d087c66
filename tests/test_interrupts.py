"""Ctrl-C is heard, a little later, where it would be lost or destroy something."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numba
import pytest

from breakout_a3c.games.preprocessing import compiled
from breakout_a3c.interrupts import interrupts_delayed, interrupts_remembered, take_interrupts
from breakout_a3c.processes.start import signals_collected


@pytest.fixture(autouse=True)
def interrupts_are_heard() -> Iterator[None]:
    """Also where this process was started to ignore them, as by nohup."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_is_heard_at_the_end_of_the_block() -> None:
    before = signal.getsignal(signal.SIGINT)
    finished = []

    def block() -> None:
        with interrupts_delayed():
            signal.raise_signal(signal.SIGINT)
            finished.append(True)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert finished
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_needs_no_delay() -> None:
    done = threading.Event()

    def run() -> None:
        with interrupts_delayed():
            done.set()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done.is_set()


def test_numba_does_not_swallow_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its compiler calls Python from C, where an exception is printed and ignored."""

    def njit(*arguments: object, **options: object) -> Any:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            pytest.fail("it would have been ignored here")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    with pytest.raises(KeyboardInterrupt):
        compiled("i8(i8)")(abs)


def test_an_interrupt_that_a_package_ignores_still_ends_a_training() -> None:
    with interrupts_remembered():
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGINT)
        with signals_collected() as signals:
            assert signals == [signal.SIGINT]
        with signals_collected() as signals:
            assert signals == [], "it counts once"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_of_an_earlier_program_does_not_count() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_remembered():
        signal.raise_signal(signal.SIGINT)
    with interrupts_remembered():
        assert take_interrupts() == []


def test_an_interrupt_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_remembered():
            signal.raise_signal(signal.SIGINT)
        assert take_interrupts() == []
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
