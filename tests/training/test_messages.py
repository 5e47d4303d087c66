from dataclasses import replace
from pathlib import Path

import pytest

from breakout_a3c.config import CHECKPOINTS, RUNS
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.training.messages import announcement, farewell, resume_command
from breakout_a3c.training.plan import TrainingPlan
from tests.training.test_console import STATUS

PLAN = TrainingPlan(BREAKOUT, "run", CHECKPOINTS, RUNS)
SAVED = Path("checkpoints/run/step_000003344240.pt")


def test_a_training_tells_how_long_it_takes() -> None:
    assert "8 actor-learners x 16 games" in announcement(PLAN)
    assert "Length: 5,000,000 agent steps." in announcement(PLAN)
    both = replace(PLAN, config=BREAKOUT.replace(max_minutes=45.0))
    assert "Length: 5,000,000 agent steps or 45 minutes." in announcement(both)
    neither = replace(PLAN, config=BREAKOUT.replace(total_steps=None))
    assert "Length: no limit." in announcement(neither)


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


def test_a_farewell_tells_what_there_is() -> None:
    said = farewell(PLAN, STATUS, SAVED, Path("best.pt"), 400.0)
    assert said.startswith("Stopped after 3,344,240 agent steps, 4,000 games and 20.3 minutes; mean")
    assert "best.pt, mean score 400.0" in said
    assert "of the last 100 games: 131.1." in said
    early = replace(STATUS, games=0, mean_return=float("nan"), progress=1.0)
    said = farewell(PLAN, early, SAVED, Path("best.pt"), None)
    assert said.startswith("Done after 3,344,240 agent steps, 0 games and 20.3 minutes.\n")
    assert "best.pt" not in said
