"""What tests start has default signals, and is gone when the test has passed, has failed or was stopped."""

import ast
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.running import Program, run, wait_for

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
# It starts a process in a session of its own, and both ignore what asks them to end.
STUBBORN = """
import signal, subprocess, time
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen(["sleep", "100"], start_new_session=True)
time.sleep(100)
"""
# Tests of another run of pytest: one fails, one leaves a program to a fixture that does not end it.
OTHERS = f"""
import sys
import pytest
from tests.running import Program, run, wait_for

def start():
    program = Program([sys.executable, "-c", {STUBBORN!r}])
    wait_for(lambda: len(program.processes()) == 2)
    for process in program.processes():
        process.suspend()
        print("started", process.pid)

@pytest.fixture(scope="session")
def left():
    start()

def test_that_passes(left):
    pass

def test_that_fails():
    start()
    raise RuntimeError("as tests do")

def test_signals():
    ask = "import signal as s; print([s.getsignal(n) for n in (s.SIGHUP, s.SIGQUIT, s.SIGTERM, s.SIGINT)])"
    printed = run([sys.executable, "-c", ask], capture_output=True, text=True).stdout
    assert printed.count("SIG_DFL") == 3
    assert "default_int_handler" in printed
"""

# A test that never ends.
ENDLESS = f"""
import sys, time
from tests.running import Program, wait_for

def test_that_never_ends():
    program = Program([sys.executable, "-c", {STUBBORN!r}])
    wait_for(lambda: len(program.processes()) == 2)
    print("started", *(process.pid for process in program.processes()), flush=True)
    time.sleep(100)
"""
IGNORING = ["sh", "-c", 'trap "" HUP INT QUIT TERM; exec "$@"', "sh"]  # as nohup and shells do
PYTEST = [sys.executable, "-m", "pytest", "-p", "tests.running", "-p", "no:cacheprovider", "-c", "/dev/null"]


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the other run of pytest prints, which nohup and a shell made ignore signals."""
    folder = tmp_path_factory.mktemp("others")
    (folder / "test_others.py").write_text(OTHERS)
    command = [*IGNORING, *PYTEST, "-rA", folder / "test_others.py"]
    done = run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    return str(done.stdout)


def living(pids: set[int]) -> set[int]:
    """Return those that have not ended; a zombie has."""
    processes = {process.pid: process.info["status"] for process in psutil.process_iter(["status"])}
    return {pid for pid in pids if processes.get(pid, psutil.STATUS_ZOMBIE) != psutil.STATUS_ZOMBIE}


def test_a_failing_test_leaves_no_process(others: str) -> None:
    assert "RuntimeError: as tests do" in others
    started = {int(number) for number in re.findall(r"started (\d+)", others)}
    assert len(started) == 4
    assert not living(started)


def test_what_is_left_at_the_end_is_told_and_killed(others: str) -> None:
    (left,) = re.findall(r"^E +AssertionError: left behind: (.*)", others, re.MULTILINE)
    assert left.count("pid=") == 2, "the test that failed had left none"


def test_programs_have_default_signals_although_the_tests_ignore_them(others: str) -> None:
    assert re.search("PASSED .*test_signals", others)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_tests_that_are_told_to_end_leave_nothing(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "test_endless.py").write_text(ENDLESS)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [*PYTEST, "-s", tmp_path / "test_endless.py"]
    tests = Program(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert tests.stdout is not None
    started = next(filter(None, (re.search(r"started (\d+) (\d+)", line) for line in tests.stdout)))
    tests.send_signal(number)
    assert "KeyboardInterrupt" in tests.communicate(timeout=20)[0]
    assert not living(set(map(int, started.groups())))
    assert not list(tmp_path.glob("tests-*"))


@pytest.mark.parametrize("before", [[], IGNORING], ids=["", "ignored signals"])
def test_workers_whose_tests_are_killed_leave_nothing(tmp_path: Path, before: list[str]) -> None:
    (tmp_path / "test_endless.py").write_text(ENDLESS)
    command = [*before, *PYTEST, "--numprocesses", "1", tmp_path / "test_endless.py"]
    tests = Program(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)})
    wait_for(lambda: len(tests.processes()) == 4)
    tests.kill()
    tests.wait()
    wait_for(lambda: not tests.processes())  # the worker looks every five seconds
    assert not list(tmp_path.glob("tests-*"))


def test_all_processes_of_a_program_are_stopped_and_go_on() -> None:
    program = Program([sys.executable, "-c", STUBBORN])
    wait_for(lambda: len(program.processes()) == 2)
    with program.stopped() as stopped:
        assert stopped[0].pid == program.pid
        assert {process.status() for process in stopped} == {psutil.STATUS_STOPPED}
    wait_for(lambda: psutil.STATUS_STOPPED not in {process.status() for process in program.processes()})
    program.end()
    assert program.returncode == -signal.SIGKILL
    assert not program.processes()


def test_nobody_waits_for_a_program_that_has_ended() -> None:
    code = "import sys; sys.exit('this is why')"
    Program([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"ended with code 1 and printed:\nthis is why"):
        wait_for(lambda: False)
    assert time.monotonic() - began < 30


def test_a_program_that_never_ends_shows_what_it_printed() -> None:
    code = "import time; print('so far', flush=True); time.sleep(100)"
    with pytest.raises(AssertionError, match=r"did not end within 2 s.*\n.*ran and printed:\nso far"):
        run([sys.executable, "-c", code], timeout=2, capture_output=True, text=True)


STARTS = {"run", "call", "check_call", "check_output", "Popen", "fork", "forkpty", "system", "popen", "spawn"}


def test_nothing_is_started_otherwise() -> None:
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom) and node.module in ("subprocess", "os", "pty"):
                assert not STARTS & set(names), f"{path} starts programs: use tests/running.py"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                starts = node.value.id in ("subprocess", "os", "pty") and node.attr in STARTS
                assert not starts or path.name == "running.py", f"{path} starts programs: use tests/running.py"
