"""train.py and play.py in this process, where torch is imported already."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import pytest

from breakout_a3c.command_line import run_program
from breakout_a3c.commands import play, train

PROGRAMS: dict[str, Callable[[], int | None]] = {"train.py": train.main, "play.py": play.main}


@dataclass(frozen=True)
class Outcome:
    """How a program ended, and what it printed."""

    code: int
    out: str
    err: str


class TookTooLong(BaseException):
    """Not an Exception: what reads files distrustfully would take it for damage."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TookTooLong in what takes longer."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TookTooLong(f"it took more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Programs:
    """Runs a program with its arguments, in the present folder."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd = capfd
        self._monkeypatch = monkeypatch

    def run(self, program: str, *arguments: object, seconds: float = 60.0) -> Outcome:
        """Run it to its end.

        Args:
            program: ``train.py`` or ``play.py``.
            *arguments: As on the command line.
            seconds: After which it counts as hanging.
        """
        self._capfd.readouterr()
        with self._monkeypatch.context() as patch, within(seconds):
            patch.setattr(sys, "argv", [program, *map(str, arguments)])
            patch.setenv("SDL_VIDEODRIVER", "dummy")  # programs set it, too
            with pytest.raises(SystemExit) as left:
                run_program(PROGRAMS[program])
        assert isinstance(left.value.code, int)
        return Outcome(left.value.code, *self._capfd.readouterr())
