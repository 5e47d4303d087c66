"""The report of an evaluation: its facts, its table and its sentence."""

import json
from pathlib import Path

import pytest
import torch

from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.playing.evaluation import EvaluationResult, Protocol
from breakout_a3c.playing.report import EMULATOR_FACTS, TABLE, evaluation_facts, scores_sentence, table_lines
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.saving.agent import build_agent, load_agent
from breakout_a3c.saving.provenance import program_versions
from tests.conftest import save_untrained


def make_result(**rules: float) -> EvaluationResult:
    games = [FinishedGame(1200.0, 50, truncated=False), FinishedGame(1300.0, 70, truncated=True)]
    return EvaluationResult(Protocol(episodes=2, **rules), games, distinct_games=1)


def rows(facts: dict[str, object]) -> dict[str, str]:
    return {line[:16].strip(): line[16:] for line in table_lines(facts)}


def test_the_facts_are_those_of_the_model_and_of_the_protocol(checkpoint_path: Path) -> None:
    result = make_result(seed=7, sticky=0.25)
    facts = evaluation_facts(Path("some/model.pt"), load_agent(checkpoint_path), result)
    own = {
        "model": "some/model.pt",
        "game": "breakout",
        "steps": 12_345,
        "action_names": ("FIRE", "RIGHT", "LEFT"),
        "auto_fire": True,
        "frame_skip": 4,
        "sticky_in_training": "0, and 0.25 in 94% of the games from 36% of the run on",
        "precision": "float32",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": program_versions(),
    }
    assert facts == own | result.to_dict()
    assert facts["versions"].keys() == {"commit", "python", "torch", "ale-py", "numpy"}


def test_a_game_without_fire_has_no_auto_fire(tmp_path: Path) -> None:
    freeway = save_untrained(BREAKOUT.replace_given({"game": "freeway", "precision": "float32"}), tmp_path)
    assert evaluation_facts(freeway, load_agent(freeway), make_result())["auto_fire"] is False


def test_the_report_names_the_arithmetic_that_was_used(checkpoint_path: Path) -> None:
    agent = build_agent(load_agent(checkpoint_path).checkpoint, checkpoint_path, torch.bfloat16)
    facts = evaluation_facts(Path("model.pt"), agent, make_result())
    assert facts["precision"] == rows(facts)["arithmetic"] == "bfloat16"


def test_the_table_has_a_row_for_each_fact(checkpoint_path: Path) -> None:
    facts = evaluation_facts(Path("model.pt"), load_agent(checkpoint_path), make_result())
    assert rows(facts) == {
        "model": "model.pt",
        "game": "breakout",
        "steps trained": "12,345",
        "actions": "FIRE, RIGHT, LEFT",
        "auto-FIRE": "yes",
        "frame skip": "4",
        "no-ops": "1 to 30 frames",
        "sticky": "0",
        "sticky, trained": "0, and 0.25 in 94% of the games from 36% of the run on",
        "frame cap": "108,000",
        "policy": "sampled",
        "seed": "0",
        "games": "2",
        "mean": "1,250.0",
        "std": "70.7",
        "standard error": "50.0",
        "median": "1,250.0",
        "min": "1,200",
        "max": "1,300",
        "truncated games": "1",
        "distinct games": "1",
        "arithmetic": "float32",
        "CPU": torch.backends.cpu.get_cpu_capability(),
        "versions": ", ".join(f"{name} {version}" for name, version in program_versions().items()),
    }


def test_games_that_are_not_independent_have_a_reason_in_place_of_the_standard_error(checkpoint_path: Path) -> None:
    facts = evaluation_facts(Path("model.pt"), load_agent(checkpoint_path), make_result(greedy=True))
    assert rows(facts)["standard error"] == "- (greedy games without sticky actions are not independent)"


@pytest.mark.parametrize(("sticky", "sticky_games", "told"), [(0.25, 0.5, "0.25"), (0.0, 0.0, "0")])
def test_the_report_says_how_sticky_the_training_was(
    tmp_path: Path, sticky: float, sticky_games: float, told: str
) -> None:
    path = save_untrained(BREAKOUT.replace(sticky=sticky, sticky_games=sticky_games, precision="float32"), tmp_path)
    assert rows(evaluation_facts(path, load_agent(path), make_result()))["sticky, trained"] == told


def test_a_protocol_without_noops_says_so(checkpoint_path: Path) -> None:
    facts = evaluation_facts(Path("model.pt"), load_agent(checkpoint_path), make_result(max_noops=0))
    assert rows(facts)["no-ops"] == "none"


@pytest.mark.parametrize("greedy", [False, True])
def test_one_game_has_no_spread(checkpoint_path: Path, greedy: bool) -> None:
    result = EvaluationResult(Protocol(episodes=1, greedy=greedy), [FinishedGame(7.0, 50, truncated=False)], 1)
    facts = evaluation_facts(Path("model.pt"), load_agent(checkpoint_path), result)
    assert rows(facts)["std"] == rows(facts)["standard error"] == "- (one game has none)"
    assert '"std": null, "standard_error": null' in json.dumps(facts)


def test_cartpole_has_no_facts_of_an_emulator(cartpole_checkpoint_path: Path) -> None:
    facts = evaluation_facts(Path("model.pt"), load_agent(cartpole_checkpoint_path), make_result())
    assert {name for name, value in facts.items() if value is None} == set(EMULATOR_FACTS)
    absent = {name for name, (key, _) in TABLE.items() if key in EMULATOR_FACTS}
    assert set(rows(facts)) == set(TABLE) - absent
    assert rows(facts)["actions"] == "LEFT, RIGHT"


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        ([], "No game was played to its end."),
        ([864.0], "1 game, score 864"),
        ([1.0, 1234.0], "2 games, score 1, 1,234"),
    ],
)
def test_a_sentence_names_the_scores(scores: list[float], sentence: str) -> None:
    assert scores_sentence(scores) == sentence
