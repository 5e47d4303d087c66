"""Calls of a head that may never answer."""

import threading
import time

import pytest

from breakout_a3c.cluster.head_calls import HeadCalls, Look


def test_calls_are_made_one_after_another() -> None:
    calls, made = HeadCalls(), []
    for number in range(5):
        calls.begin(lambda number=number: made.append(number))
    assert calls.done_within(5)
    assert made == [0, 1, 2, 3, 4]


def test_a_call_without_an_answer_holds_nobody_up() -> None:
    calls, answer = HeadCalls(), threading.Event()
    calls.begin(answer.wait)
    began = time.monotonic()
    assert not calls.done_within(0.05)
    assert time.monotonic() - began < 5
    answer.set()
    assert calls.done_within(5)


def test_what_was_seen_last_stays_while_there_is_no_answer() -> None:
    calls, answer, numbers = HeadCalls(), threading.Event(), iter([1, 2])
    look = Look(calls, lambda: next(numbers))
    assert (look.look(5), look.seen) == (0.0, 1)
    calls.begin(answer.wait)
    assert look.look(0.05) >= 0.05
    waited = look.look(0.05)
    assert (waited >= 0.1, look.seen) == (True, 1)
    answer.set()
    assert (look.look(5), look.seen) == (0.0, 2)


def test_an_error_reaches_who_looks() -> None:
    def fail() -> None:
        raise OSError("gone")

    look = Look(HeadCalls(), fail)
    with pytest.raises(OSError, match="gone"):
        look.look(5)
    assert look.seen is None
