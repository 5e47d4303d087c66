import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from breakout_a3c.config import CHECKPOINTS, RUNS, TrainConfig
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.saving.checkpoints import Checkpoint
from breakout_a3c.training.messages import end_message, resume_command, start_message
from breakout_a3c.training.plan import DeviceChoice, TrainingPlan
from tests.saving.test_checkpoints import small_checkpoint
from tests.training.test_console import STATUS

PLAN = TrainingPlan(BREAKOUT, "run", CHECKPOINTS, RUNS)
SAVED = Path("checkpoints/run/step_000003344240.pt")


def test_the_start_message_says_how_long_it_takes() -> None:
    assert "8 actor-learners x 16 games" in start_message(PLAN)
    assert "Length: 5,000,000 agent steps." in start_message(PLAN)
    both = replace(PLAN, config=BREAKOUT.replace(max_minutes=45.0))
    assert "Length: 5,000,000 agent steps or 45 minutes." in start_message(both)
    neither = replace(PLAN, config=BREAKOUT.replace(total_steps=None))
    assert "Length: no limit." in start_message(neither)


def test_the_start_message_says_where_the_layers_compute() -> None:
    device = DeviceChoice("cuda", "NVIDIA H200", "The layers compute on the GPU.")
    assert "\nThe layers compute on the GPU.\n" in start_message(replace(PLAN, device=device))
    assert "compute" not in start_message(PLAN)


def test_the_start_message_says_how_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.default_int_handler)
    assert "Ctrl-C stops and saves." in start_message(PLAN)
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_IGN)
    assert f" kill {os.getpid()} stops and saves." in start_message(PLAN)


@pytest.mark.parametrize(
    ("limits", "going_on"),
    [
        ({}, ""),
        ({"total_steps": 3_344_240}, " --total-steps 6688480"),
        ({"max_minutes": 20.25}, " --max-minutes 40.5"),
        ({"max_episodes": 4000, "max_minutes": 20.0}, " --max-minutes 40 --max-episodes 8000"),
    ],
)
def test_going_on_goes_beyond_the_limits_that_were_reached(limits: dict[str, float], going_on: str) -> None:
    plan = replace(PLAN, config=BREAKOUT.replace(**limits))
    assert resume_command(plan, STATUS, SAVED) == f"python train.py --resume {SAVED}{going_on}"


def test_going_on_finds_the_folders_again() -> None:
    plan = replace(PLAN, checkpoints=Path("my disk"), runs=Path("curves"))
    assert resume_command(plan, STATUS, SAVED).endswith(" --checkpoints 'my disk' --runs curves")


def test_the_end_message_names_what_there_is() -> None:
    said = end_message(PLAN, STATUS, SAVED, Path("best.pt"), 400.0)
    assert said.startswith("Stopped after 3,344,240 agent steps, 4,000 games and 20.3 minutes; mean")
    assert "best.pt, mean score 400.0" in said
    assert "of the last 100 games: 131.1; with sticky actions, mean score 87.6.\n" in said
    early = replace(STATUS, games=0, recent_games=0, mean_return=math.nan, mean_sticky_return=math.nan, progress=1.0)
    said = end_message(PLAN, early, SAVED, Path("best.pt"), None)
    assert said.startswith("Done after 3,344,240 agent steps, 0 games and 20.3 minutes.\n")
    assert "best.pt" not in said


def test_games_whose_reports_were_lost_are_counted_and_have_no_mean() -> None:
    """As when an actor-learner is killed between the end of a game and its next report."""
    without_sticky = replace(STATUS, mean_sticky_return=math.nan)
    few = replace(without_sticky, games=3, recent_games=2, mean_return=5.0)
    said = end_message(PLAN, few, SAVED, Path("best.pt"), None)
    assert "3 games and 20.3 minutes; mean score of the last 2 games: 5.0." in said
    none = replace(without_sticky, games=1, recent_games=0, mean_return=math.nan)
    said = end_message(PLAN, none, SAVED, Path("best.pt"), None)
    assert "1 games and 20.3 minutes.\n" in said


def resumed(config: TrainConfig, **changes: float | None) -> str:
    """Return the start message of a run that goes on after half of its five million steps, with other settings."""
    checkpoint: Checkpoint = replace(small_checkpoint(2_500_000), config=config, updates=10_000)
    return start_message(replace(PLAN, config=config.replace(**changes), resume=checkpoint))


def test_a_resume_says_which_run_goes_on() -> None:
    assert "It goes on with the run run after 2,500,000 agent steps.\n" in resumed(BREAKOUT)
    assert "goes on" not in start_message(PLAN)


def test_a_resume_says_what_leaps() -> None:
    for same in (resumed(BREAKOUT), resumed(BREAKOUT, keep_checkpoints=9)):
        assert "may fall" not in same
    leaps = (
        "the learning rate goes from 0.0005 to 0.00162, the entropy coefficient goes from 0.001 to 0.007, the rollout"
    )
    assert f"By its new settings {leaps} length goes from 20 to 10: the score may fall at first.\n" in resumed(
        BREAKOUT, total_steps=25_000_000
    )
    done = BREAKOUT.replace(total_steps=2_500_000)
    assert "settings the learning rate goes from 0 to 0.0005: the score" in resumed(done, total_steps=5_000_000)


@pytest.mark.parametrize(
    ("limits", "lifted"),
    [
        ({"total_steps": 3_344_240}, "from 0 to 0.0005"),
        ({"total_steps": 3_344_240, "learning_rate": 7e-4, "final_learning_rate": 1e-4}, "from 0.0001 to 0.00025"),
        ({"total_steps": 3_344_240, "max_minutes": 20.3 / 0.75}, "from 0 to 0.000125"),
        ({"total_steps": 3_344_240, "final_learning_rate": 2e-3}, ""),
        ({}, ""),
    ],
)
def test_the_end_says_what_going_on_does_to_the_learning_rate(limits: dict[str, float], lifted: str) -> None:
    config = BREAKOUT.replace(**limits)
    ended = replace(STATUS, progress=1.0, learning_rate=config.optimizer.final_learning_rate)
    said = end_message(replace(PLAN, config=config), ended, SAVED, Path("best.pt"), None)
    assert ("lifts the learning rate" in said) == bool(lifted)
    assert lifted in said
