"""Programs that tests start: with default signals, in sessions of their own; none outlives the test that started it.

A program and all that it starts carry a mark in their environment, by which they are found whatever their parents
and sessions are.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

import psutil
import pytest

VARIABLE = "STARTED_BY_TESTS"
SESSION = f"{os.environ.get(VARIABLE, '')}{uuid4().hex}/"  # in a test's program, it begins with the mark of that
# nohup and shells make a program ignore these. What it starts would ignore them, too.
OFTEN_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
KILLED_SECONDS = 10.0
TEMPORARY = Path(tempfile.gettempdir(), f"tests-{uuid4().hex[:8]}")  # where killed programs leave their files

_marks: list[str] = []  # of all that may still run
_programs: list["Program"] = []


class Program(subprocess.Popen[Any]):
    """A started program, in a session of its own.

    Args:
        command: The program and its arguments.
        env: Its environment; this process's by default.
        **options: Others of subprocess.Popen.
    """

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str] | None = None, **options: Any) -> None:
        marked = marked_environment(env)
        self._mark = marked[VARIABLE]
        super().__init__(command, env=marked, start_new_session=True, **options)
        _programs.append(self)

    def processes(self) -> list[psutil.Process]:
        """Return all its living processes, the stopped ones and those of other sessions too, the oldest first."""
        return marked_processes([self._mark])

    @contextmanager
    def stopped(self) -> Iterator[list[psutil.Process]]:
        """Stop all its processes for the block, as a laptop that sleeps does."""
        stopped: list[psutil.Process] = []
        while new := [process for process in self.processes() if process not in stopped]:  # it may start another
            for process in new:
                signal_process(process, signal.SIGSTOP)
            wait_for(lambda: all(is_halted(process) for process in new))
            stopped += new
        try:
            yield stopped
        finally:
            for process in reversed(stopped):  # the trainer last: it looks whether the others live
                signal_process(process, signal.SIGCONT)

    def end(self) -> None:
        """Kill what is left of it."""
        end_all([self._mark])


def run(
    command: Sequence[str | Path], *, timeout: float = 100.0, check: bool = False, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run a program to its end, like subprocess.run."""
    if options.pop("capture_output", False):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    program = Program(command, **options)
    try:
        out, err = program.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it did not end within {timeout:g} s:\n{told([program])}") from None
    done = subprocess.CompletedProcess(command, program.returncode, out, err)
    if check:
        assert done.returncode == 0, f"{command} ended with code {done.returncode} and printed:\n{out}\n{err}"
    return done


def is_halted(process: psutil.Process) -> bool:
    """Tell whether a process is stopped or gone: a signal is only sent when kill returns, not yet obeyed."""
    return not process.is_running() or process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until ``condition()`` is true; fail early when a program ends before that whose end nobody has seen yet."""

    def came_about() -> bool:
        with suppress(psutil.NoSuchProcess):
            return bool(condition())
        return False

    deadline = time.monotonic() + seconds
    running = [program for program in _programs if program.returncode is None]
    while not came_about():
        over = time.monotonic() > deadline or any(program.poll() is not None for program in running)
        if over and not came_about():
            raise AssertionError(f"it did not come about\n{told(running)}")
        time.sleep(0.05)


def told(programs: Sequence[Program]) -> str:
    """End programs, and return what they printed that nobody has read."""
    text = ""
    for program in programs:
        state = "ran" if program.poll() is None else f"ended with code {program.returncode}"
        program.end()
        printed: list[Any] = []
        with suppress(ValueError):  # the test has closed its output
            printed += filter(None, program.communicate())
        text += f"{program.args} {state} and printed:\n{''.join(map(str, printed))}\n"
    return text


def marked_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment with a new mark; what is started with it ends with the test."""
    mark = f"{SESSION}{uuid4().hex}/"
    _marks.append(mark)
    return {**(os.environ if environment is None else environment), VARIABLE: mark}


def marked_processes(marks: Sequence[str]) -> list[psutil.Process]:
    """Return the living processes whose mark begins with one of ``marks``, the oldest first."""
    found = []
    for process in psutil.process_iter(["environ"]):  # None where it may not be read, and of a zombie
        mark = (process.info["environ"] or {}).get(VARIABLE, "")
        if mark.startswith(tuple(marks)):
            found.append(process)
    return sorted(found, key=lambda process: process.create_time())


def signal_process(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def end_all(marks: Sequence[str]) -> None:
    """Kill all processes with these marks, and wait until they are gone."""
    deadline = time.monotonic() + KILLED_SECONDS
    while left := marked_processes(marks):
        assert time.monotonic() < deadline, f"these cannot be killed: {left}"
        for process in left:
            signal_process(process, signal.SIGKILL)
        time.sleep(0.01)
    for program in _programs:
        if program._mark in marks:
            program.wait()


@contextmanager
def everything_ends() -> Iterator[None]:
    """Kill at the end of the block what was started within it."""
    first_mark, first_program = len(_marks), len(_programs)
    try:
        yield
    finally:
        if _marks[first_mark:]:
            end_all(_marks[first_mark:])
        del _marks[first_mark:], _programs[first_program:]


@pytest.fixture(autouse=True)
def nothing_outlives_its_test() -> Iterator[None]:
    """Kill the programs and children that a test and its fixtures started."""
    before = multiprocessing.active_children()
    with everything_ends():
        yield
    for child in multiprocessing.active_children():
        if child not in before:
            child.kill()


@pytest.fixture(scope="module", autouse=True)
def nothing_outlives_its_module() -> Iterator[None]:
    """Kill the programs that fixtures of a whole module started."""
    with everything_ends():
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Give programs default signals and one temporary folder; fail if any of them is left at the end."""
    TEMPORARY.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch, signals_of_tests():
        patch.setenv("TMPDIR", str(TEMPORARY))
        patch.setenv("PYTHONFAULTHANDLER", "1")  # a program that crashes says where
        yield
    left = marked_processes([SESSION])
    end_all([SESSION])
    shutil.rmtree(TEMPORARY)
    assert not left, f"left behind: {left}"


@contextmanager
def signals_of_tests() -> Iterator[None]:
    """End the tests in order when they are told to end; start programs with the defaults of what the tests ignore."""

    parent = os.getppid()

    def ignore(number: int, frame: FrameType | None) -> None:
        if "PYTEST_XDIST_WORKER" in os.environ and os.getppid() != parent:
            raise KeyboardInterrupt("a worker of xdist sends itself SIGINT when the main process is gone")

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in OFTEN_IGNORED}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, ignore)  # exec() puts the default in place of a handler, and keeps what is ignored
        if handler is signal.SIG_DFL:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
