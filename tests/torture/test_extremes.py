"""The smallest and the largest value that each numeric option allows: it trains, or a sentence says why not."""

import math
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from breakout_a3c.config import SETTINGS
from breakout_a3c.presets import BREAKOUT, PRESETS
from tests.learning.test_actor_learner import train_alone
from tests.torture.programs import Programs

NUMBERS = {int, float}
GAME_OPTIONS = {name for name, (group, _) in SETTINGS.items() if group == "game"}
EASY = {"threads": 1, "envs": 2, "total_steps": 40, "eval_minutes": 0.0}
# Minutes on two cores, or tens of GB: as many processes or steps as nobody's machine takes.
TOO_LARGE = {("threads", 512), ("envs", 8192), ("rollout_length", 100_000), ("final_rollout_length", 100_000)}


def numeric() -> dict[str, Any]:
    """Return the settings that are numbers, with their fields."""
    return {name: spec for name, (_, spec) in SETTINGS.items() if NUMBERS & set(get_args(spec.type) or (spec.type,))}


def extremes() -> list[tuple[str, float]]:
    """Return each number's smallest and largest value that a machine of two cores can try."""
    bounds = [(name, spec.metadata[end]) for name, spec in numeric().items() for end in ("low", "high")]
    return [(name, value) for name, value in bounds if value is not None and (name, value) not in TOO_LARGE]


def settings_for(name: str, value: float) -> dict[str, Any]:
    """Return what goes with an extreme value so that it matters, and that the run ends."""
    settings = EASY | {name: value}
    if name == "total_steps" and value > EASY["total_steps"]:
        settings["max_minutes"] = 0.01
    if name == "eval_episodes":
        settings["eval_minutes"] = 1.0
    if name == "adam_beta1":
        settings["optimizer"] = "adam"
    return settings


@pytest.mark.parametrize(("name", "spec"), numeric().items())
def test_every_number_has_a_smallest_and_a_largest_value(name: str, spec: Any) -> None:
    """A whole number of 400 digits fits no counter, no curve and no division."""
    for end in ("low", "high"):
        assert spec.metadata[end] is not None, f"{name} has no {end}"
        assert math.isfinite(spec.metadata[end])


@pytest.mark.parametrize(("name", "value"), extremes())
def test_an_actor_learner_bears_every_extreme(name: str, value: float) -> None:
    base = BREAKOUT if name in GAME_OPTIONS else PRESETS["cartpole"]
    shared, _ = train_alone(base.replace(**settings_for(name, value)))
    assert shared.total_steps() > 0
    assert torch.isfinite(shared.parameters).all()
    assert torch.isfinite(shared.optimizer.square_average).all()


@pytest.mark.torture
@pytest.mark.parametrize(("name", "value"), extremes())
def test_a_training_bears_every_extreme(name: str, value: float, programs: Programs, tmp_path: Path) -> None:
    preset = "breakout" if name in GAME_OPTIONS else "cartpole"
    options = [
        word
        for option, setting in settings_for(name, value).items()
        for word in (f"--{option.replace('_', '-')}", str(setting))
    ]
    outcome = programs.run("train.py", "--preset", preset, *options, seconds=120)
    assert "Traceback" not in outcome.out + outcome.err
    if outcome.code == 0:  # where a run is over before its processes have started, there is nothing to save
        assert (tmp_path / "checkpoints" / "latest.pt").exists() or "nothing was saved" in outcome.out
    else:
        assert outcome.code == 1
        assert "smaller --learning-rate" in outcome.out, "200 gradients in a row that were not finite end the run"
