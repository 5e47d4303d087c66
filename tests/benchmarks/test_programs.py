"""Every benchmark starts, and those that can be tried on very little do their work."""

import ast
import shlex
import sys
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.common import emulators
from benchmarks.common.contenders import Contender
from benchmarks.common.paths import MODELS, ROOT
from benchmarks.common.processes import benchmark_context
from benchmarks.evaluation import lost_balls
from benchmarks.learning import a2c_faults, study
from benchmarks.learning.recipes import Recipe
from benchmarks.speed import resources
from breakout_a3c.command_line import with_options
from breakout_a3c.commands import train
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.agent import build_agent, load_agent, load_weights

FOLDER = ROOT / "benchmarks"
# Which run in virtual environments of their own, or in place of train.py.
ELSEWHERE = ("sb3", "rivals", "rliable_program", "variants")
# Its own files only: benchmarks also holds the work of trainings and the environment of Stable-Baselines3.
FILES = sorted([*FOLDER.glob("*.py"), *FOLDER.glob("[a-z]*/*.py"), *FOLDER.glob("rivals/old_gym/**/*.py")])
PROGRAMS = [
    path for path in FILES if '__name__ == "__main__"' in path.read_text() and path.parent.name not in ELSEWHERE
]
MOST_LINES = 40


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", PROGRAMS, ids=module_name)
def test_every_program_tells_its_options(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = import_module(module_name(path))
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        module.main()
    assert stopped.value.code == 0
    assert (module.__doc__ or "").strip().splitlines()[0] in capsys.readouterr().out


def test_the_programs_are_found() -> None:
    assert len(PROGRAMS) >= 14


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_functions_are_short_and_imports_need_no_path(path: Path) -> None:
    text = path.read_text()
    assert "sys.path" not in text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MOST_LINES, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("name", a2c_faults.CASES)
def test_every_fault_of_the_a2c_can_be_put_back(name: str) -> None:
    loss, config = a2c_faults.CASES[name]
    scores = a2c_faults.learn(loss, config.replace(total_steps=2000))
    assert len(scores) > 10, "each of its 40 games has some 22 steps"


@pytest.mark.parametrize("recipe", study.RECIPES, ids=attrgetter("name"))
def test_every_recipe_is_one_that_train_py_takes(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = shlex.split(recipe.options)
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    config = with_options(PRESETS["breakout"], train.parse_options())
    assert (config == PRESETS["breakout"]) == (not arguments)


def test_the_emulators_count_their_steps() -> None:
    contender = emulators.emulators(benchmark_context(), "bare emulator", emulators.run_bare_emulator, processes=1)
    emulators.run_rounds([contender], rounds=1, slice_seconds=0.2)
    assert contender.rates[0] > 100
    assert len(contender.processes) == 1


def test_a_contender_is_compared_within_each_round() -> None:
    reference = Contender("bare emulator", [], lambda: 0, rates=[100.0, 200.0, 50.0], cpu_use=[2.0] * 3)
    ours = Contender("ours", [], lambda: 0, rates=[50.0, 50.0, 40.0], cpu_use=[1.0] * 3)
    summary = ours.summary(reference)
    assert summary["steps_per_second"] == 50
    assert summary["frames_per_second"] == 200
    assert summary["share_of_rounds"] == [0.5, 0.25, 0.8]
    assert summary["share_of_reference"] == 0.5


def test_memory_is_compared_after_the_warm_up() -> None:
    row = {"trainer_cpu_seconds": 0.0, "files": 9, "threads": 3}
    series: list[dict[str, float]] = [
        row | {"minutes": float(m), "memory_mb": 100.0 * m, "trainer_cpu_seconds": 3.0 * m} for m in range(6)
    ]
    summary = resources.summarise(series)
    assert summary["minutes"] == 3
    assert (summary["memory_mb_first_half"], summary["memory_mb_second_half"]) == (250, 450)
    assert summary["trainer_share_of_a_core"] == 0.05


def test_lost_balls_are_told_by_the_bricks_that_were_hit() -> None:
    game = lost_balls.Game(score=5.0, bricks=[0, 1, 1, 1], values=[0.5, 0.5, 0.25, 0.25], losses=[3])
    phases = lost_balls.summarise([game])["phases"]
    first = phases["first half of the first wall"]
    assert first["balls lost"] == 1
    assert first["of them within 20 steps of a hit"] == 1
    assert lost_balls.steps_since_a_brick(game, 3) == 3
    assert phases["second wall"]["games that reach it"] == 0


def test_lost_balls_plays_the_games_of_a_protocol(checkpoint_path: Path) -> None:
    agent = build_agent(load_weights(checkpoint_path), checkpoint_path)
    (game,) = lost_balls.play(agent, lost_balls.Protocol(1, seed=5, max_episode_frames=400))
    assert len(game.bricks) == len(game.values) > 50
    assert game.truncated or len(game.losses) == 5


class Anything(ModuleType):
    """A module of Stable-Baselines3, which is not installed here: whatever is asked of it is a class."""

    def __getattr__(self, name: str) -> Any:
        return type(name, (), {})


@pytest.mark.parametrize("program", ["sb3_a2c", "sb3_evaluate_policy"])
def test_the_programs_for_the_other_environment_load(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "stable_baselines3"
    for part in ("", ".common", *(f".common.{m}" for m in SB3_MODULES)):
        monkeypatch.setitem(sys.modules, name + part, Anything(name + part))
    module = import_module(f"benchmarks.sb3.{program}")
    assert callable(module.main)
    if program == "sb3_evaluate_policy":
        model = MODELS / "breakout.safetensors"
        adapter = module.Adapter(model, num_actions=load_agent(model).network.num_actions + 1)
        actions, _ = adapter.predict(np.zeros((8, 84, 84, 4), np.uint8))
        assert actions.shape == (8,)
        assert set(actions) <= {1, 2, 3}, "SB3 has NOOP before our actions"


SB3_MODULES = ("env_util", "vec_env", "callbacks", "torch_layers", "evaluation")
