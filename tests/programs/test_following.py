"""A training that is watched: from its own page, and by play.py --follow."""

import http.client
import signal
import socket
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from breakout_a3c.saving.watched_run import FOLDER, NEWEST
from tests.running import Program, run, wait_for

ROOT = Path(__file__).parents[2]
BAD_INPUT = 2
STOPPED = 130
TRAINING = ("--preset", "cartpole", "--threads", "1", "--total-steps", "1e8", "--eval-minutes", "0", "--run", "watched")


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Training:
    """A training with a page."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        command = [sys.executable, str(ROOT / "train.py"), *TRAINING, "--serve", str(self.port)]
        self.program = Program(command, stdout=PIPE, stderr=STDOUT, text=True, cwd=folder)

    @property
    def newest(self) -> Path:
        return self.folder / "checkpoints" / "watched" / FOLDER / NEWEST


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    training = Training(tmp_path_factory.mktemp("training"))
    wait_for(lambda: answers(training.port))
    return training


def answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def pictures(port: int, count: int) -> list[bytes]:
    """Return the first pictures of a page's stream."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    found = []
    while len(found) < count:
        line = answer.readline()
        if line.startswith(b"Content-Length"):
            answer.readline()
            found.append(answer.read(int(line.split()[1])))
    connection.close()
    return found


def test_a_training_shows_its_games_and_none_while_nobody_looks(training: Training) -> None:
    assert not training.newest.exists(), "nobody has asked"
    assert len(set(pictures(training.port, 30))) > 5
    assert training.newest.exists()


def test_the_newest_parameters_of_a_training_are_followed(training: Training) -> None:
    port = free_port()
    command = [sys.executable, str(ROOT / "play.py"), "--follow", "--serve", str(port)]
    watching = Program(command, stdout=PIPE, stderr=STDOUT, text=True, cwd=training.folder)
    assert watching.stdout is not None
    assert watching.stdout.readline() == f"Watch it at http://127.0.0.1:{port} - Ctrl-C ends it.\n"
    pictures(port, 5)
    first = training.newest.stat().st_mtime_ns
    wait_for(lambda: training.newest.stat().st_mtime_ns != first)  # at the next game
    watching.send_signal(signal.SIGINT)
    printed, _ = watching.communicate(timeout=30)
    assert watching.returncode == 0, printed


def test_both_end_with_the_training(training: Training) -> None:
    training.program.send_signal(signal.SIGINT)
    printed, _ = training.program.communicate(timeout=60)
    assert training.program.returncode == STOPPED, printed
    assert f"Its games: http://127.0.0.1:{training.port}\n" in printed
    wait_for(lambda: not answers(training.port))
    assert not training.newest.exists()
    assert not training.program.processes()


@pytest.mark.parametrize(
    ("program", "arguments", "sentence"),
    [
        ("play.py", ("--follow",), "--follow shows a running training: give it together with --render or --serve."),
        ("play.py", ("--follow", "--serve", "{port}"), "there is no run in checkpoints: start a training, or give"),
        ("play.py", ("--host", "0.0.0.0"), "--host is an address of the page: give it together with --serve."),
        ("train.py", ("--host", "0.0.0.0"), "--host is an address of the page: give it together with --serve."),
        ("train.py", ("--serve", "{port}", "--host", "192.0.2.1"), "'192.0.2.1' is no address of this machine"),
        ("train.py", ("--serve", "0"), "--serve: 0 is not between 1 and 65535"),
    ],
)
def test_a_mistake_is_a_sentence(program: str, arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    given = [argument.format(port=free_port()) for argument in arguments]
    done = run([sys.executable, str(ROOT / program), *given], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == BAD_INPUT, done.stdout
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_port_in_use_is_a_sentence_before_the_training_begins(tmp_path: Path) -> None:
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
        command = [sys.executable, str(ROOT / "train.py"), *TRAINING, "--serve", str(port)]
        done = run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == BAD_INPUT
    assert f"the port {port} is not available" in done.stderr
    assert not list(tmp_path.iterdir())
