"""Trainings on a Ray cluster of this machine alone, as a user types them."""

import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from breakout_a3c.cluster import ray_cluster
from breakout_a3c.errors import UserError
from breakout_a3c.saving.checkpoints import load_checkpoint
from tests.running import Program, run

pytest.importorskip("ray")
ROOT = Path(__file__).parents[2]
TRAIN = [sys.executable, ROOT / "train.py", "--preset", "cartpole", "--threads", "2", "--eval-minutes", "0"]


def ray_runs_here() -> bool:
    return any(process.info["name"] == "gcs_server" for process in psutil.process_iter(["name"]))


def test_without_ray_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="--cluster needs Ray, which is not installed: pip install"):
        ray_cluster.connect("local", "cartpole")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379", "127.0.0.1:port", "127.0.0.1:99999"])
def test_an_address_where_nothing_listens_is_a_sentence(address: str) -> None:
    with pytest.raises(UserError, match=rf"nothing answers at {address} \(.*\): look at the address"):
        ray_cluster.connect(address, "cartpole")


@pytest.mark.skipif(ray_runs_here(), reason="another Ray runs on this machine, and auto would find it")
def test_no_cluster_is_a_sentence(tmp_path: Path) -> None:
    done = run([*TRAIN, "--cluster", "auto"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert re.search(r"no Ray cluster can be used at auto .*: type ray start on this machine first", done.stderr)
    assert "Traceback" not in done.stderr
    assert [list((tmp_path / name).iterdir()) for name in ("checkpoints", "runs")] == [[], []], "the name is free"


def test_options_of_a_cluster_need_one(tmp_path: Path) -> None:
    done = run([*TRAIN, "--machines", "3"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "give it together with --cluster" in done.stderr) == (2, True)


def test_a_training_on_this_machine_alone_goes_on_without_a_cluster(tmp_path: Path) -> None:
    """And everything listens on loopback."""
    command = [*TRAIN, "--cluster", "local", "--total-steps", "40000", "--run", "run"]
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))  # a short path, as Ray's sockets need it
    with (tmp_path / "log").open("w") as output, (tmp_path / "errors").open("w") as errors:
        environment = os.environ | {"TMPDIR": str(temporary)}
        program = Program(command, cwd=tmp_path, env=environment, stdout=output, stderr=errors)
    listening: set[str] = set()
    while program.poll() is None:
        listening |= addresses(program)
        time.sleep(0.2)
    assert program.returncode == 0, (tmp_path / "errors").read_text()
    assert listening
    assert {address for address in listening if not address.startswith(("127.", "::ffff:127.", "::1"))} == set()
    log = (tmp_path / "log").read_text()
    assert "Done after 40," in log
    assert "--cluster local --total-steps 80000" in log
    assert "Traceback" not in (tmp_path / "errors").read_text()
    left = {path.name for path in temporary.iterdir()} - {"ray"}  # Ray's note of where it listens
    assert not left
    shutil.rmtree(temporary)
    checkpoint = load_checkpoint(tmp_path / "checkpoints/latest.pt")
    assert checkpoint.steps >= 40_000
    assert checkpoint.square_average.abs().max() > 0
    assert len(checkpoint.play_states) == 2
    assert all(map(len, checkpoint.play_states))
    resume = [*TRAIN[:2], "--resume", "checkpoints/latest.pt", "--total-steps", "50000"]
    done = run(resume, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Done after 50," in done.stdout


def addresses(program: Program) -> set[str]:
    """Return the addresses at which a program and all below it listen."""
    found = set()
    for process in program.processes():
        try:
            found |= {each.laddr.ip for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
        except psutil.Error:
            continue
    return found
