"""Trainings of a second on CartPole, in this process."""

import errno
import fcntl
import itertools
import math
import os
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint
from breakout_a3c.saving.config_file import read_config
from breakout_a3c.saving.run_names import take_name
from breakout_a3c.training import evaluations, evaluator
from breakout_a3c.training.console import TrainingConsole
from breakout_a3c.training.plan import DeviceChoice, TrainingPlan
from breakout_a3c.training.statistics import TrainingStatistics
from breakout_a3c.training.status import TrainingStatus
from breakout_a3c.training.supervisor import Supervisor
from breakout_a3c.training.trainer import Trainer
from tests.starting import training_context

QUICK = {"threads": 1, "envs": 2, "total_steps": 1000, "eval_minutes": 5.0, "eval_episodes": 1}
# Written down by hand: charts of runs of earlier versions have these names.
TAGS = {
    "rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/games", "rollout/truncated_games", "rollout/max_probability",
    "train/policy_loss", "train/value_loss", "train/entropy", "train/grad_norm", "train/explained_variance",
    "train/learning_rate", "train/entropy_coef",
    "time/fps", "time/minutes", "time/memory_mb",
    "async/updates", "async/updates_per_second", "async/staleness_updates", "async/workers_alive",
    "async/workers_replaced", "async/updates_not_finite", "async/reports_dropped",
    "workers/ep_rew_mean_0", "games/score", "games/length",
    "eval/mean_reward", "eval/mean_ep_length", "eval/truncated_games", "eval/cpu_share",
}  # fmt: skip
TAGS_OF_STEP_LIMITS = {"train/approx_kl", "train/value_change"}


@dataclass(frozen=True)
class Trained:
    """What a training left and showed."""

    folder: Path
    trainer: Trainer
    checkpoint: Checkpoint
    curves: EventAccumulator
    said: list[str]
    shown: list[TrainingStatus]

    def last(self, tag: str) -> float:
        return float(self.curves.Scalars(tag)[-1].value)


def train(config: TrainConfig, folder: Path) -> Trained:
    """Train to the end of the run, and return what there is then."""
    said: list[str] = []
    shown: list[TrainingStatus] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingConsole, "say", lambda _, message: said.append(message))
        patch.setattr(TrainingConsole, "update", lambda _, status: shown.append(status))
        plan = TrainingPlan(config, "run", folder / "checkpoints", folder / "runs")
        trainer = Trainer(plan, training_context())
        assert trainer.run() == 0
    curves = EventAccumulator(str(folder / "runs" / "run"), size_guidance={"scalars": 0})
    curves.Reload()
    return Trained(folder, trainer, load_checkpoint(folder / "checkpoints" / "latest.pt"), curves, said, shown)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(PRESETS["cartpole"].replace(**QUICK), tmp_path_factory.mktemp("cartpole"))


def test_the_curves_have_the_names_of_earlier_versions(trained: Trained) -> None:
    tags = trained.curves.Tags()
    assert set(tags["scalars"]) == TAGS, "and nothing of what only a limit of the steps measures"
    assert tags["images"] == ["eval/game"]


def test_step_limits_show_what_they_measure(tmp_path: Path) -> None:
    config = PRESETS["cartpole-a2c"].replace(**QUICK | {"eval_minutes": 0.0})
    assert (config.step_limits.max_kl, config.step_limits.max_value_change) == (0.03, None)
    tags = set(train(config, tmp_path).curves.Tags()["scalars"])
    assert {tag for tag in tags if tag not in TAGS} == TAGS_OF_STEP_LIMITS
    assert {tag for tag in TAGS if tag not in tags} == {tag for tag in TAGS if tag.startswith("eval/")}


def test_console_curves_and_checkpoint_show_one_moment(trained: Trained) -> None:
    checkpoint, status = trained.checkpoint, trained.shown[-1]
    assert (status.steps, status.updates) == (checkpoint.steps, checkpoint.updates)
    assert trained.curves.Scalars("async/updates")[-1].step == checkpoint.steps >= 1000
    assert trained.last("async/updates") == checkpoint.updates
    assert status.mean_return == pytest.approx(trained.last("rollout/ep_rew_mean"))
    assert status.mean_length == pytest.approx(trained.last("rollout/ep_len_mean"))
    assert status.recent_games == len(checkpoint.recent_returns) == min(checkpoint.games, 100)
    assert status.entropy == pytest.approx(trained.last("train/entropy"))
    best = load_checkpoint(trained.folder / "checkpoints" / "run" / "best.pt")
    assert best.best_evaluation == pytest.approx(trained.last("eval/mean_reward"))
    assert torch.equal(best.averaged_parameters, checkpoint.averaged_parameters), "the last ones"


@pytest.mark.parametrize("reports_arrive", [True, False])
def test_there_is_one_count_of_games(reports_arrive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Games that end shortly before their actor-learner is killed are never reported, but counted."""
    if not reports_arrive:
        monkeypatch.setattr(TrainingStatistics, "add", lambda *_: None)
    trained = train(PRESETS["cartpole"].replace(**QUICK | {"eval_minutes": 0.0}), tmp_path)
    games = trained.trainer._shared.total_games()
    assert games > 0
    assert trained.checkpoint.games == trained.shown[-1].games == trained.last("rollout/games") == games
    assert f" {games:,} games " in trained.said[-1]
    assert (trained.shown[-1].recent_games > 0) == reports_arrive
    assert ("mean score" in trained.said[-1]) == math.isfinite(trained.shown[-1].mean_return) == reports_arrive
    assert "nan" not in trained.said[-1]


def test_a_run_writes_its_settings_as_a_file(trained: Trained) -> None:
    path = trained.folder / "checkpoints" / "run" / "config.toml"
    assert read_config(path, PRESETS["paper"]) == PRESETS["cartpole"].replace(**QUICK)


@pytest.mark.parametrize(
    ("fault", "why"), [("slow", "it takes more than 0 s"), ("no start", "it could not be started: no more processes")]
)
def test_last_parameters_that_could_not_be_evaluated_are_reported(
    fault: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no more processes")

    if fault == "slow":
        monkeypatch.setattr(evaluations, "LAST_EVALUATION_SECONDS", 0.0)
    else:
        monkeypatch.setattr(evaluator, "start_process", refuse)
    said = train(PRESETS["cartpole"].replace(**QUICK), tmp_path).said
    assert f"The last parameters were NOT evaluated: {why}" in said


def test_a_start_that_fails_leaves_no_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    checkpoints, runs = tmp_path / "checkpoints", tmp_path / "runs"
    config = PRESETS["cartpole"].replace(**QUICK)
    run = take_name("run", checkpoints, runs)
    with pytest.raises(UserError, match="leave out --wandb"):
        Trainer(TrainingPlan(config, run, checkpoints, runs, wandb=True), training_context())
    assert not list(checkpoints.iterdir())
    assert not list(runs.iterdir())
    (runs / "run").write_text("no folder")
    with pytest.raises(UserError, match="choose another with --runs"):
        Trainer(TrainingPlan(config, run, checkpoints, runs), training_context())
    assert not list(checkpoints.iterdir())


def test_actor_learners_compute_where_the_plan_says(tmp_path: Path) -> None:
    configs: list[TrainConfig] = []

    def supervise(context: Context, config: TrainConfig, *others: Any) -> Supervisor:
        configs.append(config)
        return Supervisor(context, config, *others)

    config = PRESETS["cartpole"].replace(**QUICK, device="auto")
    device = DeviceChoice("cuda", "NVIDIA H200", "The layers compute on the GPU.")
    plan = TrainingPlan(config, "run", tmp_path / "checkpoints", tmp_path / "runs", device=device)
    trainer = Trainer(plan, training_context(), supervise=supervise)
    assert configs == [config.replace(device="cuda")]
    checkpoint = trainer._checkpoint()
    assert checkpoint.config.network.device == "auto", "a run that goes on elsewhere chooses again"
    assert checkpoint.versions["gpu"] == "NVIDIA H200"


def test_a_file_system_without_locks_and_flushes_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some Lustre and NFS have no flock; CIFS and shared folders of virtual machines cannot flush a folder."""
    flush = os.fsync

    def no_flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    def no_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        flush(descriptor)

    monkeypatch.setattr(fcntl, "flock", no_flock)
    monkeypatch.setattr(os, "fsync", no_folders)
    trained = train(PRESETS["cartpole"].replace(**QUICK | {"checkpoint_minutes": 0.001}), tmp_path)
    assert trained.checkpoint.steps >= 1000
    folder = tmp_path / "checkpoints" / "run"
    told = f"The training goes on, and saves its checkpoints: the file system of {folder} has no locks"
    assert [message.startswith(told) for message in trained.said].count(True) == 1
    assert not any("NOT written" in message for message in trained.said)


def test_a_wall_clock_that_leaps_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes back and forth by days, as that of a laptop that has slept, or has another system beside this one."""
    now, days = time.time, itertools.cycle([0, 40, -40])
    monkeypatch.setattr(time, "time", lambda: now() + next(days) * 86_400)
    config = PRESETS["cartpole"].replace(**QUICK | {"checkpoint_minutes": 0.001, "keep_checkpoints": 2})
    trained = train(config, tmp_path)
    assert trained.checkpoint.steps >= 1000
    assert trained.checkpoint.minutes < 1
    steps = [point.step for point in trained.curves.Scalars("async/updates")]
    assert steps == sorted(steps)
    assert len(list((tmp_path / "checkpoints" / "run").glob("step_*.pt"))) <= 2
    assert not any("could not be written" in message or "NOT" in message for message in trained.said)
