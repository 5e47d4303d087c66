"""Several hosts of which one is cut off, slow, far away, or of another version."""

import importlib.metadata
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ale_py
import pytest

import breakout_a3c
from breakout_a3c.errors import UserError
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.saving.watched_run import Watcher
from tests.cluster.hosts import TOKEN, TRAIN, Cluster, ClusterTraining, Hosts, SlowWire, needs_hosts, title_of
from tests.running import Program, run, signal_process, wait_for

pytest.importorskip("ray")
pytestmark = [needs_hosts, pytest.mark.torture]
ENDLESS = ("--total-steps", "100000000")
BAD_INPUT = 2


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts(2) as hosts:
        yield hosts


def started(hosts: Hosts, folder: Path) -> tuple[Cluster, ClusterTraining]:
    """Return a cluster of two hosts, and a training on both."""
    cluster = Cluster(hosts, folder, 2)
    training = ClusterTraining(cluster, folder, *ENDLESS)
    training.wait_for_groups(0, 1)
    assert training.learns_on(30)
    return cluster, training


def busy_seconds(cluster: Cluster, number: int, seconds: float) -> float:
    """Return how much CPU time the actor-learners of a host take meanwhile."""

    def used() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in cluster.learners(number))

    before = used()
    time.sleep(seconds)
    return used() - before


def test_a_host_is_lost_comes_back_and_another_joins(tmp_path: Path) -> None:
    with Hosts(3) as hosts:
        cluster, training = started(hosts, tmp_path)
        cluster.leave(1)
        assert training.learns_on(10)
        cluster.join(2)
        training.wait_for_groups(0, 2)
        cluster.join(1)
        training.wait_for_groups(0, 1, 2)
        assert training.learns_on(10)
        log = training.end()
    assert f"{cluster.hosts.address(1)}: it was lost" in log
    assert "(raylet)" not in log, "Ray speaks in between"


def test_a_host_that_is_cut_off_waits_and_returns(hosts: Hosts, tmp_path: Path) -> None:
    cluster, training = started(hosts, tmp_path)
    learners = {process.pid for process in cluster.learners(1)}
    with hosts.cut_off(1):
        assert training.learns_on(10), "the other goes on"
        time.sleep(5)
        assert busy_seconds(cluster, 1, 5) < 0.5, "it learns nothing alone"
        time.sleep(5)
    deadline = time.monotonic() + 30
    while busy_seconds(cluster, 1, 1) < 0.1:
        assert time.monotonic() < deadline, "it did not return"
    assert {process.pid for process in cluster.learners(1)} >= learners
    assert training.learns_on(10)
    assert "was lost" not in training.end()


def test_a_slow_host_holds_nobody_up(hosts: Hosts, tmp_path: Path) -> None:
    cluster, training = started(hosts, tmp_path)
    over = threading.Event()

    def slow_down() -> None:
        while not over.is_set():
            for number, seconds in ((signal.SIGSTOP, 0.15), (signal.SIGCONT, 0.05)):
                for process in cluster.learners(1):
                    signal_process(process, number)
                over.wait(seconds)

    thread = threading.Thread(target=slow_down)
    thread.start()
    try:
        for _ in range(3):
            assert training.learns_on(10)
            time.sleep(2)
    finally:
        over.set()
        thread.join()
        for process in cluster.learners(1):
            signal_process(process, signal.SIGCONT)
    training.end()


def test_a_host_far_away_learns_along(hosts: Hosts, tmp_path: Path) -> None:
    """100 ms each way, and each hundredth packet is lost."""
    SlowWire(hosts, 1, delay_seconds=0.1, loss=0.01)
    cluster, training = started(hosts, tmp_path)
    assert busy_seconds(cluster, 1, 5) > 0.5
    for _ in range(3):
        assert training.learns_on(10)
    training.end()


def test_what_was_learned_is_saved_when_rays_head_is_gone(hosts: Hosts, tmp_path: Path) -> None:
    cluster, training = started(hosts, tmp_path)
    (head,) = (each for each in cluster.programs[0].processes() if "gcs_server" in title_of(each).partition(" ")[0])
    head.kill()
    assert training.program.wait(50) == 1, training.log()
    assert "Ray's head does not answer any more" in training.log()
    assert load_checkpoint(training.folder.parent / "latest.pt").steps > 0


def test_what_was_learned_is_saved_when_the_terminal_is_closed(tmp_path: Path) -> None:
    """Ray's own processes are of the same group, which gets SIGHUP then."""
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))  # a short path, as Ray's sockets need it
    run_folder = tmp_path / "checkpoints" / "run"
    with (tmp_path / "log").open("w") as log:
        command = [*TRAIN, "--cluster", "local", *ENDLESS, "--run", run_folder.name]
        program = Program(command, cwd=tmp_path, env=os.environ | {"TMPDIR": str(temporary)}, stdout=log, stderr=log)
    wait_for(lambda: has_learned(run_folder))
    os.killpg(program.pid, signal.SIGHUP)
    assert program.wait(40) == 128 + signal.SIGHUP, (tmp_path / "log").read_text()
    assert load_checkpoint(tmp_path / "checkpoints/latest.pt").steps > 0
    assert not {path.name for path in temporary.iterdir()} - {"ray"}
    shutil.rmtree(temporary)


def has_learned(run_folder: Path) -> bool:
    try:
        return run_folder.exists() and Watcher(run_folder).ask().checkpoint.steps > 0
    except UserError:
        return False


def another_program(folder: Path) -> dict[Path, Path]:
    module = Path(breakout_a3c.__file__).parent / "errors.py"
    other = folder / "errors.py"
    other.write_text(f"{module.read_text()}# another version\n")
    return {module: other}


def another_torch(folder: Path) -> dict[Path, Path]:
    metadata = Path(str(importlib.metadata.distribution("torch").locate_file("")))
    (found,) = metadata.glob("torch-*.dist-info/METADATA")
    other = folder / "METADATA"
    other.write_text(found.read_text().replace("\nVersion: 2", "\nVersion: 1", 1))
    return {found: other}


def no_rom(folder: Path) -> dict[Path, Path]:
    roms = Path(ale_py.__file__).parent / "roms"
    others = folder / "roms"
    shutil.copytree(roms, others)
    (others / "breakout.bin").unlink()
    return {roms: others}


def no_program(folder: Path) -> dict[Path, Path]:
    empty = folder / "empty"
    empty.mkdir()
    return {Path(breakout_a3c.__file__).parent: empty}


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        (another_program, "has breakout_a3c "),
        (another_torch, "has torch 1."),
        (no_rom, "cannot train: "),
        (no_program, "cannot import breakout_a3c "),
    ],
)
def test_a_host_that_cannot_train_is_named(
    hosts: Hosts, tmp_path: Path, others: Callable[[Path], dict[Path, Path]], sentence: str
) -> None:
    cluster = Cluster(hosts, tmp_path, 1)
    cluster.join(1, other_files=others(tmp_path))
    command = hosts.command(0, [*TRAIN, "--preset", "breakout", "--cluster", hosts.head])
    done = run(command, cwd=tmp_path, env=os.environ | TOKEN, capture_output=True, text=True)
    assert done.returncode == BAD_INPUT, done.stderr
    assert f"{hosts.address(1)} {sentence}" in done.stderr
    assert "Traceback" not in done.stderr
