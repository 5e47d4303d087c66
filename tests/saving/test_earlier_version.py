"""Files that commit 6adb12e wrote load, play and go on as they did there; fixtures/README.md tells how they were made.

The numbers here are what that version read from the files and computed with them.
"""

import hashlib
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from breakout_a3c.learning.actor_learner import learn
from breakout_a3c.learning.reports import ReportSender
from breakout_a3c.playing.evaluation import Protocol, evaluate
from breakout_a3c.saving.agent import load_agent, load_weights
from breakout_a3c.saving.checkpoints import Checkpoint
from breakout_a3c.saving.published import load_model, save_model
from breakout_a3c.saving.weights import named_weights, network_of
from breakout_a3c.training.plan import TrainingPlan, initial_parameters, resumed_play_states

FIXTURES = Path(__file__).parent / "fixtures"

# All settings of 6adb12e that its checkpoints hold, by their present names.
CARTPOLE_A3C: dict[str, Any] = {
    "game": "cartpole", "actions": "reduced", "frame_skip": 1, "max_noops": 30, "sticky": 0.0, "auto_fire": True,
    "max_episode_frames": 65_535, "terminal_on_life_loss": True, "clip_rewards": False, "life_loss_penalty": 0.0,
    "second_chances": 0.0, "sticky_games": 0.0, "sticky_games_begin": 0.5, "reward_scale": 1.0,
    "network": "mlp", "separate_value_network": False, "symmetric": False, "background": "black",
    "precision": "float32", "device": "cpu",
    "algorithm": "a3c", "threads": 2, "envs": 8,
    "rollout_length": 5, "final_rollout_length": None, "gamma": 0.99, "gae_lambda": 0.95,
    "optimizer": "rmsprop", "learning_rate": 7e-4, "final_learning_rate": 0.0, "learning_rate_power": 1.0,
    "warmup_updates": 0, "square_decay": 0.99, "optimizer_eps": 1e-5, "rmsprop_eps_inside_root": False,
    "adam_beta1": 0.9, "max_grad_norm": 0.5, "average_steps": 0,
    "entropy_coef": 0.01, "final_entropy_coef": 0.002, "value_coef": 0.5, "value_loss": "squared",
    "loss_reduction": "mean",
    "max_kl": None, "max_value_change": None, "max_staleness": None,
    "total_steps": 500_000, "max_minutes": 0.05, "max_episodes": None, "anneal_part": 0.5,
    "seed": 1, "checkpoint_minutes": 10.0, "keep_checkpoints": 5, "eval_minutes": 0.0, "eval_episodes": 10,
    "start_method": "forkserver",
    "late_starts": 0.0, "stall_steps": None, "reward_rule": None,
}  # fmt: skip
CARTPOLE_A2C = CARTPOLE_A3C | {
    "algorithm": "a2c", "threads": 3, "envs": 40, "learning_rate": 3e-3, "max_kl": 0.03, "square_decay": 0.98,
    "optimizer_eps": 2e-5,
}  # fmt: skip
BREAKOUT = CARTPOLE_A3C | {
    "game": "breakout", "frame_skip": 4, "clip_rewards": True, "life_loss_penalty": 1.0, "network": "paper",
    "symmetric": True, "precision": "auto", "threads": 1, "envs": 16, "final_rollout_length": 20,
    "learning_rate": 2e-3, "warmup_updates": 200, "average_steps": 100_000, "final_entropy_coef": 0.001,
    "max_kl": 0.004, "max_value_change": 0.25, "total_steps": 2_000, "max_minutes": None,
}  # fmt: skip


@dataclass(frozen=True)
class Earlier:
    """What 6adb12e read from a file, and computed with it."""

    file: str
    settings: dict[str, Any]
    counts: tuple[int, int, int]  # steps, updates, games
    parameters: str  # SHA-256 of their bytes
    square_average: str
    observation: Tensor
    logits: list[float]
    value: float
    score: float  # of the first game of an evaluation
    play_states: list[int]  # bytes of each

    @property
    def path(self) -> Path:
        return FIXTURES / self.file


STATE = torch.tensor([[0.01, -0.2, 0.03, 0.4]])
SCREENS = (torch.arange(84 * 84 * 4) % 251).to(torch.uint8).view(1, 84, 84, 4)
A3C = Earlier(
    "cartpole-a3c.pt", CARTPOLE_A3C, (105_120, 2_628, 2_503),
    "07a65a38d12f09d49355bd94622de8cc34b850b555ab7c2953c992d763386a3c",
    "fd17e994314f6b49c86972725fc24c8bc2e564b927b51719d7baa4164d319cc7",
    STATE, [-0.225838, 0.229473], 52.002533, 117.0, [8_825, 8_826],
)  # fmt: skip
A2C = Earlier(
    "cartpole-a2c.pt", CARTPOLE_A2C, (113_800, 569, 2_188),
    "de7f65de0469761e66c5851ecd17d3482af48940812a329a933a592494a5e847",
    "4a59b38045db06af31865d55f57fe92afed923a563bc5edb1e8ec054abde0081",
    STATE, [-0.453149, 0.458065], 71.243233, 274.0, [22_794],
)  # fmt: skip
MODEL = Earlier(
    "breakout-old-form.safetensors", BREAKOUT, (2_144, 10, 4),
    "2412b113cdc0c549a77dbaaa93335d5d2d65b9c331539a84fdabd5b586064f8a",
    "3c2b20ae5e70132321a63ac996017eb7c489a336505477c602cf2725b5b7cd42",  # zeros
    SCREENS, [0.000807, 0.000114, -0.001227], -0.290383, 1.0, [],
)  # fmt: skip
EACH = pytest.mark.parametrize("earlier", [A3C, A2C, MODEL], ids=lambda earlier: earlier.file)
EACH_CHECKPOINT = pytest.mark.parametrize("earlier", [A3C, A2C], ids=lambda earlier: earlier.file)


def digest_of(vector: Tensor) -> str:
    return hashlib.sha256(vector.numpy().tobytes()).hexdigest()


def plan_for(checkpoint: Checkpoint, folder: Path, **sources: Any) -> TrainingPlan:
    return TrainingPlan(checkpoint.config, checkpoint.run, folder / "checkpoints", folder / "runs", **sources)


@EACH
def test_its_numbers_are_unchanged(earlier: Earlier) -> None:
    checkpoint = load_weights(earlier.path)
    assert digest_of(checkpoint.parameters) == digest_of(checkpoint.averaged_parameters) == earlier.parameters
    assert digest_of(checkpoint.square_average) == earlier.square_average
    assert checkpoint.gradient_average.shape == (0,)
    assert (checkpoint.steps, checkpoint.updates, checkpoint.games) == earlier.counts
    assert [len(state) for state in checkpoint.play_states] == earlier.play_states
    assert checkpoint.versions["commit"] == "6adb12e8ab1f"


@EACH
def test_its_settings_mean_what_they_meant(earlier: Earlier) -> None:
    assert load_weights(earlier.path).config.to_dict() == earlier.settings


@EACH
@torch.no_grad()
def test_its_network_computes_what_it_computed(earlier: Earlier) -> None:
    checkpoint = load_weights(earlier.path)
    network = network_of(checkpoint.config)
    network.load_state_dict(named_weights(checkpoint.averaged_parameters, network))
    logits, values = network(earlier.observation)
    assert logits[0].tolist() == pytest.approx(earlier.logits, rel=1e-5, abs=1e-5)
    assert values[0].item() == pytest.approx(earlier.value, rel=1e-5, abs=1e-5)


@EACH_CHECKPOINT
def test_it_plays_the_game_that_it_played(earlier: Earlier) -> None:
    agent = load_agent(earlier.path)
    result = evaluate(agent.network, agent.checkpoint.config.game, Protocol(episodes=1))
    assert result.scores == [earlier.score]


def test_a_model_still_plays() -> None:
    agent = load_agent(MODEL.path)
    result = evaluate(agent.network, agent.checkpoint.config.game, Protocol(episodes=1, max_episode_frames=200))
    assert len(result.scores) == 1
    assert 0 <= result.scores[0] <= 20


@EACH_CHECKPOINT
def test_a_resumed_training_has_its_parameters_averages_and_counts(earlier: Earlier, tmp_path: Path) -> None:
    checkpoint = load_weights(earlier.path)
    shared = initial_parameters(plan_for(checkpoint, tmp_path, resume=checkpoint))
    assert digest_of(shared.parameters) == earlier.parameters
    assert digest_of(shared.optimizer.square_average) == earlier.square_average
    assert (shared.total_steps(), shared.total_updates(), shared.total_games()) == earlier.counts
    assert len(shared.steps) == len(earlier.play_states), "an actor-learner for each"
    assert shared.minutes() == pytest.approx(checkpoint.minutes, abs=0.05)


@EACH_CHECKPOINT
def test_its_games_go_on(earlier: Earlier, tmp_path: Path) -> None:
    checkpoint = load_weights(earlier.path)
    config = checkpoint.config.replace(max_minutes=None, total_steps=earlier.counts[0] + 1_000)
    plan = replace(plan_for(checkpoint, tmp_path, resume=checkpoint), config=config)
    states = resumed_play_states(plan)
    assert sorted(states) == list(range(len(earlier.play_states)))
    shared = initial_parameters(plan)
    reader, writer = Pipe(duplex=False)
    with reader:
        learn(config, shared, 0, ReportSender(0, writer), states[0].numpy().tobytes())
    assert shared.total_steps() == earlier.counts[0] + 1_000
    assert torch.isfinite(shared.parameters).all()
    assert digest_of(shared.parameters) != earlier.parameters
    assert shared.total_games() > earlier.counts[2]


def test_a_new_training_starts_from_its_weights(tmp_path: Path) -> None:
    checkpoint = load_weights(MODEL.path)
    shared = initial_parameters(plan_for(checkpoint, tmp_path, initial=checkpoint))
    assert digest_of(shared.parameters) == MODEL.parameters
    assert (shared.total_steps(), shared.total_updates(), shared.total_games()) == (0, 0, 0)
    assert not shared.optimizer.square_average.any()


def test_the_old_form_saved_anew_has_the_same_numbers_under_its_layers_names(tmp_path: Path) -> None:
    assert set(load_file(MODEL.path)) == {"parameters"}
    before = load_model(MODEL.path)
    save_model(before, {}, tmp_path / "anew.safetensors")
    assert set(load_file(tmp_path / "anew.safetensors")) == set(network_of(before.config).state_dict())
    after = load_model(tmp_path / "anew.safetensors")
    assert digest_of(after.parameters) == MODEL.parameters
    assert after.config == before.config
    assert (after.run, after.steps, after.command) == (before.run, before.steps, before.command)
