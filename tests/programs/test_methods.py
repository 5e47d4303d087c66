"""Every method learns, started as a user starts it."""

import json
import re
import sys
from pathlib import Path

import pytest

from breakout_a3c.saving.checkpoints import load_checkpoint
from tests.running import run
from tests.starting import IMPORTS_SECONDS, START_METHOD

ROOT = Path(__file__).parents[2]
SOLVED = 475  # of CartPole-v1; a random policy has 22


def train(folder: Path, *options: object) -> str:
    command = [sys.executable, ROOT / "train.py", "--run", "run", "--eval-minutes", "0"]
    command += ["--start-method", START_METHOD, *options]
    done = run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=True, timeout=500)
    return str(done.stdout)


def score(folder: Path) -> float:
    """Return the mean of 100 games that were not trained on."""
    command = [sys.executable, ROOT / "play.py", "checkpoints/latest.pt", "--episodes", "100", "--json"]
    played = run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=True)
    return float(json.loads(played.stdout)["mean"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a3c_solves_cartpole(seed: int, tmp_path: Path) -> None:
    train(tmp_path, "--preset", "cartpole", "--threads", 3, "--seed", seed)
    assert score(tmp_path) >= SOLVED


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a2c_with_40_games_solves_cartpole(seed: int, tmp_path: Path) -> None:
    train(tmp_path, "--preset", "cartpole-a2c", "--algorithm", "a2c", "--envs", 40, "--seed", seed)
    assert load_checkpoint(tmp_path / "checkpoints" / "latest.pt").updates == 500_000 // (5 * 40)
    assert score(tmp_path) >= SOLVED


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "at_least"), [("td-actor-critic", 120), ("reinforce", 200)])
def test_the_two_ends_learn_cartpole(preset: str, at_least: float, tmp_path: Path) -> None:
    train(tmp_path, "--preset", preset)
    assert score(tmp_path) >= at_least


@pytest.mark.slow
def test_the_settings_of_the_notebook_learn(tmp_path: Path) -> None:
    """Adam, one-step targets, smooth L1, rewards over 100, a limit in games: its scores reached 160 of 200."""
    options = ["--preset", "cartpole", "--envs", 1, "--gae-lambda", 0, "--gamma", 0.98]
    options += ["--optimizer", "adam", "--learning-rate", 2e-4, "--square-decay", 0.99, "--optimizer-eps", 1e-8]
    options += ["--value-loss", "smooth-l1", "--value-coef", 1, "--reward-scale", 0.01, "--entropy-coef", 0]
    options += ["--final-entropy-coef", 0, "--max-episodes", 3000, "--total-steps", "none"]
    train(tmp_path, *options)
    assert score(tmp_path) >= 120


@pytest.mark.parametrize("preset", ["cartpole", "cartpole-a2c", "td-actor-critic", "reinforce"])
def test_a_limit_in_games_ends_the_run(preset: str, tmp_path: Path) -> None:
    printed = train(tmp_path, "--preset", preset, "--total-steps", "none", "--max-episodes", 20)
    assert "Length: 20 games." in printed
    assert "--max-episodes 40" in printed, "how to go on"
    games = load_checkpoint(tmp_path / "checkpoints" / "latest.pt").games
    assert 20 <= games < 20 + 40, "each learner finishes its rollout"


def test_the_average_score_is_printed_while_cartpole_is_learned(tmp_path: Path) -> None:
    printed = train(
        tmp_path, "--preset", "cartpole", "--eval-minutes", 0.05, "--max-minutes", 0.15 + IMPORTS_SECONDS / 60
    )
    assert re.search(r"Evaluation after 0\.\d minutes: mean score \d+\.\d of 10 games", printed)


def test_breakout_is_updated_by_a2c_from_the_command_line(tmp_path: Path) -> None:
    train(tmp_path, "--algorithm", "a2c", "--envs", 12, "--final-rollout-length", "none", "--total-steps", 600)
    checkpoint = load_checkpoint(tmp_path / "checkpoints" / "latest.pt")
    assert (checkpoint.steps, checkpoint.updates) == (600, 10)


def test_two_networks_are_trained_saved_and_played(tmp_path: Path) -> None:
    train(tmp_path, "--preset", "cartpole", "--separate-value-network", "--optimizer", "adam", "--total-steps", 2000)
    checkpoint = load_checkpoint(tmp_path / "checkpoints" / "latest.pt")
    assert len(checkpoint.parameters) == 2 * (4 * 256 + 256) + 257 * 2 + 257
    assert checkpoint.gradient_average.any()
    assert score(tmp_path) > 5
    resumed = ["--resume", "checkpoints/latest.pt", "--total-steps", "4000"]
    run([sys.executable, ROOT / "train.py", *resumed], cwd=tmp_path, check=True, capture_output=True)
    assert load_checkpoint(tmp_path / "checkpoints" / "latest.pt").steps >= 4000
