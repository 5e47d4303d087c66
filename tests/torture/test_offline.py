"""A training under spawn in a folder with spaces, with every way to the network watched."""

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint
from tests.programs.test_train import TRAIN, finish, first_checkpoint, start
from tests.running import run, wait_for

PLAY = TRAIN.with_name("play.py")
# Each Python process runs this first. An address of another kind than a path leaves the machine or could.
WATCH = """
import os, sys

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        address = arguments[0]
    elif event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if address is None or isinstance(address, (str, bytes)):
            return
    else:
        return
    with open(os.environ["NETWORK_LOG"], "a") as log:
        print(event, address, file=log)
    raise PermissionError("the network is not for this test")

sys.addaudithook(watch)
print(os.getpid(), file=open(os.environ["NETWORK_LOG"] + ".watched", "a"))
"""


@dataclass(frozen=True)
class Watched:
    """What a training, its continuation and an evaluation left."""

    stopped: Checkpoint
    resumed: Checkpoint
    outputs: list[str]
    evaluation: dict[str, object]
    attempts: str
    processes: int


def watch_network(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Watch every Python process started from now on; return the file where it tells of the network."""
    (folder / "sitecustomize.py").write_text(WATCH)
    log = folder / "network.log"
    log.touch()
    patch.setenv("NETWORK_LOG", str(log))
    patch.setenv("PYTHONPATH", str(folder))
    return log


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    folder = tmp_path_factory.mktemp("a folder with spaces")
    latest = folder / "checkpoints" / "latest.pt"
    with pytest.MonkeyPatch.context() as patch:
        log = watch_network(folder, patch)
        training = start(
            folder, "--start-method", "spawn", "--threads", "1", "--total-steps", "none", "--checkpoint-minutes", "0.02"
        )
        wait_for(first_checkpoint(folder))
        training.send_signal(signal.SIGTERM)
        outputs = [finish(training, 143)]
        stopped = load_checkpoint(latest)
        evaluations = ["--eval-minutes", "1", "--eval-episodes", "1"]
        going_on = ["--resume", str(latest), "--start-method", "spawn", "--total-steps", str(stopped.steps + 200)]
        outputs.append(finish(start(folder, *going_on, *evaluations, "--max-episode-frames", "400"), 0))
        command = [sys.executable, str(PLAY), str(latest), "--json", "--episodes", "1"]
        played = run(command, cwd=folder, capture_output=True, text=True, check=True)
    processes = len((folder / "network.log.watched").read_text().splitlines())
    return Watched(stopped, load_checkpoint(latest), outputs, json.loads(played.stdout), log.read_text(), processes)


def test_a_training_stops_and_goes_on_under_spawn(watched: Watched) -> None:
    assert watched.stopped.config.upkeep.start_method == watched.resumed.config.upkeep.start_method == "spawn"
    assert watched.stopped.run == watched.resumed.run
    assert watched.stopped.steps < watched.stopped.steps + 200 <= watched.resumed.steps
    assert watched.resumed.updates > watched.stopped.updates
    assert not any("died" in output for output in watched.outputs)


def test_paths_may_have_spaces(watched: Watched) -> None:
    assert watched.evaluation["steps"] == watched.resumed.steps
    assert "a folder with spaces" in str(watched.evaluation["model"])


def test_nothing_asks_for_the_network(watched: Watched) -> None:
    assert watched.attempts == ""
    assert watched.processes >= 6, "trainers, actor-learners, evaluator, player"


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('127.0.0.1', 9))",
        "urllib.request.urlopen('http://example.com')",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 9))",
        "socket.create_server(('', 0))",
    ],
)
def test_the_watch_sees_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attempt: str) -> None:
    log = watch_network(tmp_path, monkeypatch)
    code = f"import socket, urllib.request\n{attempt}"
    assert run([sys.executable, "-c", code], capture_output=True).returncode == 1
    assert log.read_text().startswith("socket.")
