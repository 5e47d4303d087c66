"""The terminal or the log fails: the training goes on or ends saved."""

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import threading
import time
from pathlib import Path
from subprocess import PIPE

import pytest

from breakout_a3c.saving.checkpoints import load_checkpoint
from tests.programs.test_train import GONE_SECONDS, TRAIN, assert_gone, family, first_checkpoint
from tests.running import Program, run, wait_for

SOME_STEPS = re.compile(rb"agent steps[^\xe2]*\xe2\x94\x82 +[1-9]")  # the next cell of the table
COMMAND = [sys.executable, str(TRAIN), "--preset", "cartpole", "--threads", "1", "--eval-minutes", "0"]


@pytest.mark.torture
@pytest.mark.parametrize("where", ["> /dev/full", "> /dev/full 2>&1", ">&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_training_bears_a_stdout_that_is_full_or_closed(tmp_path: Path, where: str, unbuffered: str) -> None:
    shell = ["sh", "-c", f'exec "$@" --total-steps 2000 {where}', "sh", *COMMAND]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = run(shell, cwd=tmp_path, env=environment, stderr=PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    checkpoint = load_checkpoint(tmp_path / "checkpoints" / "latest.pt")
    assert checkpoint.steps >= 2000
    assert not any(b"Training cartpole" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


class Terminal:
    """A training in a terminal of its own, which somebody reads until it is closed."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(24, 80)
        # As a login would: the terminal controls the session.
        login = "import os, sys, fcntl, termios as t; fcntl.ioctl(0, t.TIOCSCTTY); os.execv(sys.argv[1], sys.argv[1:])"
        command = [sys.executable, "-c", login, *COMMAND, *options]
        self.training = Program(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.shown = b""
        self._closed = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while not self._closed:
            try:
                self.shown += os.read(self._ours, 65536)
            except OSError:  # the last process has left
                return

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> int:
        """Close the window, and return the exit code of the training."""
        self._closed = True
        self._reader.join()  # its last read ends with the next thing shown
        os.close(self._ours)
        return self.training.wait(GONE_SECONDS)


@pytest.mark.torture
def test_a_terminal_that_is_resized_and_then_closed_costs_nothing(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "--total-steps", "none", "--checkpoint-minutes", "0.01")
    training, latest = terminal.training, tmp_path / "checkpoints" / "latest.pt"
    wait_for(first_checkpoint(tmp_path))
    for rows, columns in ((5, 20), (200, 400), (1, 1), (0, 0), (24, 80)):
        terminal.resize(rows, columns)
        time.sleep(0.3)
    steps = load_checkpoint(latest).steps
    wait_for(lambda: load_checkpoint(latest).steps > steps)
    processes = family(training)
    assert terminal.close() == 128 + signal.SIGHUP
    assert_gone(processes)
    assert b"Traceback" not in terminal.shown
    assert b"actor-learners" in terminal.shown
    assert load_checkpoint(latest).steps > steps


def test_what_was_learned_is_saved_when_the_terminal_is_closed(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "--total-steps", "none")
    wait_for(lambda: SOME_STEPS.search(terminal.shown))
    assert terminal.close() == 128 + signal.SIGHUP
    assert load_checkpoint(tmp_path / "checkpoints" / "latest.pt").steps > 0
