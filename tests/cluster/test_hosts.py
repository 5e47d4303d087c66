"""Trainings on several hosts of one machine, of which some are lost."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from breakout_a3c.saving.checkpoints import load_checkpoint
from tests.cluster.hosts import GROUP, SERVER, Cluster, ClusterTraining, Hosts, needs_hosts
from tests.running import wait_for

pytest.importorskip("ray")
pytestmark = needs_hosts
LEARNS_ON_SECONDS = 10.0
NOTHING_LEFT_SECONDS = 10.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Hosts(2) as hosts:
        yield Cluster(hosts, tmp_path_factory.mktemp("ray"), 2)


@pytest.fixture
def training(cluster: Cluster, tmp_path: Path) -> ClusterTraining:
    training = ClusterTraining(cluster, tmp_path, "--total-steps", "100000000")
    training.wait_for_groups(0, 1)
    return training


def nothing_is_left(cluster: Cluster) -> bool:
    return not cluster.running(GROUP) and not cluster.running(SERVER)


def test_a_signal_saves_what_all_hosts_learned(cluster: Cluster, training: ClusterTraining) -> None:
    assert training.learns_on(30)
    log = training.end(signal.SIGTERM)
    assert "Stopping: the last rollouts are finished" in log
    checkpoint = load_checkpoint(training.folder.parent / "latest.pt")
    assert checkpoint.steps > 0
    assert [len(state) > 0 for state in checkpoint.play_states] == [True] * 4, "two actor-learners on each of two hosts"
    wait_for(lambda: nothing_is_left(cluster), NOTHING_LEFT_SECONDS)


def test_nothing_is_left_of_a_driver_that_is_killed(cluster: Cluster, training: ClusterTraining) -> None:
    training.driver().kill()
    training.program.wait(10)
    wait_for(lambda: nothing_is_left(cluster), NOTHING_LEFT_SECONDS)


def test_a_parameter_server_that_is_killed_comes_back_with_the_newest(
    cluster: Cluster, training: ClusterTraining
) -> None:
    assert training.learns_on(30)
    before = training.steps()
    (server,) = cluster.running(SERVER)
    server.kill()
    assert training.learns_on(LEARNS_ON_SECONDS)
    assert training.steps() >= before
    training.end()
