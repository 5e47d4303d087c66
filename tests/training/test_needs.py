"""What a training needs: refused where it surely has less, with the number that would fit; otherwise started."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from breakout_a3c.errors import UserError
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import make_network
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import BREAKOUT, PRESETS
from breakout_a3c.processes import resources
from breakout_a3c.training import needs
from breakout_a3c.training.needs import learner_mb, require_resources, shared_bytes
from tests.running import run

TRAIN = Path(__file__).parents[2] / "train.py"
MB = 2**20
CARTPOLE = PRESETS["cartpole"]


@pytest.fixture(autouse=True)
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "allow_open_files", lambda: 10**6)
    monkeypatch.setattr(needs, "usable_processes", lambda: None)
    monkeypatch.setattr(needs, "usable_memory", lambda: 10**15)
    monkeypatch.setattr(resources, "free_shared_memory", lambda: 10**15)


def refusal(changes: dict[str, Any]) -> str:
    with pytest.raises(UserError) as error:
        require_resources(BREAKOUT.replace(**changes))
    return str(error.value)


def test_what_has_no_limits_starts() -> None:
    require_resources(BREAKOUT.replace(threads=512, envs=64))


def test_too_few_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "allow_open_files", lambda: 128)
    told = refusal({"threads": 64})
    assert told.startswith("--threads 64 needs 223 open files, and this process may use 128: run ulimit -n 223 first")
    assert told.endswith("or give --threads 32.")
    require_resources(BREAKOUT.replace(threads=32))
    require_resources(BREAKOUT.replace(threads=64, algorithm="a2c"))
    monkeypatch.setattr(needs, "allow_open_files", lambda: 20)
    assert refusal({"threads": 1}).startswith("this training needs 34 open files")
    assert "--threads" not in refusal({"threads": 2}).partition(":")[2], "not even one fits"


def test_too_few_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "usable_processes", lambda: 50)
    assert "needs 70 processes and threads, and this process may use 50: " in refusal({"threads": 32})
    assert refusal({"threads": 32}).endswith("or give --threads 22.")
    require_resources(BREAKOUT.replace(threads=22))


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "usable_memory", lambda: 1000 * MB)
    told = refusal({"threads": 64, "envs": 16})
    assert told == (
        "--threads 64 needs 3,145 MB of memory, and this process may use 1,000: "
        "give --threads 18 or fewer --envs or shorter rollouts."
    )
    require_resources(BREAKOUT.replace(threads=18, envs=16))
    require_resources(CARTPOLE.replace(threads=64))
    assert "give fewer --envs or shorter rollouts." in refusal({"threads": 1, "envs": 4096})


def test_a_long_rollout_of_a_single_game_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the life."""
    monkeypatch.setattr(needs, "usable_memory", lambda: 1000 * MB)
    require_resources(BREAKOUT.replace(threads=8, envs=1, rollout_length=100_000))
    assert "shorter rollouts" in refusal({"threads": 8, "envs": 2, "rollout_length": 100_000})


@pytest.mark.parametrize("symmetric", [True, False])
def test_no_more_is_asked_for_a_step_than_it_takes(symmetric: bool) -> None:
    """In bf16, which takes the least."""
    environment = make_environment(BREAKOUT.game)
    network = make_network(BREAKOUT.replace(symmetric=symmetric).network, environment)
    LocalParameters(network, torch.bfloat16)
    observation = torch.zeros(1, 84, 84, 4, dtype=torch.uint8)
    with torch.no_grad():
        layers = network.act(observation)[2].layers
    blocks = {layer.untyped_storage().data_ptr(): layer.untyped_storage().nbytes() for layer in layers}
    assert 0.8 * (taken := observation.nbytes + sum(blocks.values())) < needs.STEP_MB * MB <= taken


def test_too_little_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "free_shared_memory", lambda: 6 * MB)
    require_resources(BREAKOUT)
    with pytest.raises(UserError, match=r"/dev/shm has 6\.0 MB free"):
        require_resources(BREAKOUT, [bytes(2 * MB)])
    with pytest.raises(UserError, match="shm-size"):
        require_resources(BREAKOUT.replace(network="nature"))


@pytest.mark.parametrize(
    "config",
    [
        BREAKOUT,
        BREAKOUT.replace(network="paper"),
        BREAKOUT.replace(network="paper", symmetric=False, optimizer="adam"),
        BREAKOUT.replace(network="nature", separate_value_network=True),
        BREAKOUT.replace(network="nature-lstm", symmetric=False),
        CARTPOLE,
    ],
    ids=["lstm", "paper", "adam", "nature", "nature-lstm", "cartpole"],
)
def test_no_more_shared_memory_is_asked_for_than_is_taken(config: Any) -> None:
    shared = SharedParameters.of_network(make_network(config.network, make_environment(config.game)), config)
    vectors = (shared.parameters, shared.parameters, shared.optimizer.square_average, shared.optimizer.gradient_average)
    taken = sum(vector.numel() * vector.element_size() for vector in vectors)  # the second for the snapshot
    assert 0.9 * taken < shared_bytes(config) <= taken


@pytest.mark.parametrize(("envs", "length", "measured"), [(1, 20, 25), (16, 5, 60), (16, 20, 90), (64, 20, 229)])
def test_no_more_memory_is_asked_for_than_was_measured(envs: int, length: int, measured: float) -> None:
    config = BREAKOUT.replace(envs=envs, rollout_length=length, final_rollout_length=None)
    assert 0.4 * measured < learner_mb(config) < 0.8 * measured


def train(shell: str, folder: Path, *options: str) -> tuple[int, str, str]:
    """Train after a line of shell; return the exit code, stdout and stderr."""
    command = ["sh", "-c", f'{shell} && exec "$@"', "sh", sys.executable, str(TRAIN), *options]
    done = run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_shell_with_few_open_files_gets_a_sentence_before_anything_starts(tmp_path: Path) -> None:
    code, out, err = train("ulimit -n 128", tmp_path, "--threads", "64")
    assert (code, out) == (2, "")
    assert "--threads 64 needs 223 open files, and this process may use 128: run ulimit -n 223" in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_soft_limit_of_open_files_is_no_obstacle(tmp_path: Path) -> None:
    """The forkserver, too, has the limit that was raised."""
    options = ["--preset", "cartpole", "--threads", "4", "--total-steps", "400", "--eval-minutes", "0"]
    code, out, err = train("ulimit -Sn 24", tmp_path, *options)
    assert (code, err) == (0, ""), out
    assert "died" not in out
    assert (tmp_path / "checkpoints" / "latest.pt").exists()
