import json
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.common.paths import ROOT
from benchmarks.common.runs import Events, Series
from benchmarks.speed import device_check, large_machine
from benchmarks.speed.large_machine import Search, TimeBudget, learned_enough, time_to, training_facts, wait_for_end
from breakout_a3c.config import Device
from tests.running import Program, run


class Curves:
    """Curves of a training that are not on a disk."""

    def __init__(self, **curves: Series) -> None:
        self._curves = {large_machine.MINUTES: curves["minutes"], "async/staleness_updates": curves["staleness"]}
        self._curves[large_machine.SCORE] = curves["scores"]

    def reload(self) -> None:
        pass

    def series(self, tag: str) -> Series:
        return self._curves[tag]


def series(steps: list[float], values: list[float], times: list[float] | None = None) -> Series:
    return Series(*(np.array(column, float) for column in (steps, values, times or [0.0] * len(steps))))


def curves(scores: list[float], seconds_apart: float = 10.0) -> Events:
    """Return the curves of a training with such scores, 6,000 steps a minute and one score each ten seconds."""
    numbers = range(len(scores))
    return cast(
        Events,
        Curves(
            minutes=series([1000.0 * n for n in numbers], [n / 6 for n in numbers]),
            staleness=series([0.0, 1.0], [14.0, 15.0]),
            scores=series([0.0] * len(scores), scores, [seconds_apart * n for n in numbers]),
        ),
    )


def search_among(means: list[float]) -> tuple[Search, list[int]]:
    """Return a search among snapshots with such means, and the list of those that it plays."""
    played: list[int] = []

    def play(index: int) -> float:
        played.append(index)
        return means[index]

    return Search(training_scores=means, play=play), played


def test_the_first_snapshot_that_reaches_a_score_is_found_by_bisection() -> None:
    means = [4.0 * n * n for n in range(32)]  # 400 at 10, 100 at 5
    search, played = search_among(means)
    search.find(400)
    assert search.bracket(400) == (9, 10)
    assert len(played) <= 7
    before = len(played)
    search.find(100)
    assert search.bracket(100) == (4, 5)
    assert len(played) - before <= 3, "what is known already is not played again"
    assert len(set(played)) == len(played)


@pytest.mark.parametrize("first", [0, 1, 30, 31])
def test_a_search_finds_the_ends_of_a_training_too(first: int) -> None:
    search, _ = search_among([0.0] * first + [500.0] * (32 - first))
    search.find(400)
    assert search.bracket(400) == (first - 1, first)


def test_an_agent_that_fell_at_the_end_is_found_by_its_training_score() -> None:
    search, played = search_among([100.0, 300.0, 410.0, 420.0, 390.0])
    search.find(400)
    assert played[:2] == [4, 3]
    assert search.bracket(400) == (1, 2)


def test_a_score_that_no_snapshot_reaches_is_not_found() -> None:
    search, played = search_among([10.0, 20.0, 30.0])
    search.find(400)
    assert search.bracket(400) == (2, None)
    assert played == [2]
    empty, _ = search_among([])
    empty.find(400)
    assert empty.bracket(400) == (-1, None)


def test_minutes_are_told_only_where_the_search_came_to_its_end() -> None:
    minutes = [0.2, 0.4, 0.6, 0.8]
    assert time_to(1, 2, minutes) == {"minutes": 0.6, "not_by": 0.4, "reached_by": 0.6}
    assert time_to(-1, 0, minutes) == {"minutes": 0.2, "not_by": None, "reached_by": 0.2}
    assert time_to(0, 3, minutes) == {"minutes": None, "not_by": 0.2, "reached_by": 0.8}
    assert time_to(3, None, minutes) == {"minutes": None, "not_by": 0.8, "reached_by": None}
    assert time_to(-1, None, []) == {"minutes": None, "not_by": None, "reached_by": None}


def test_what_was_found_is_kept_when_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Checkpoint:
        def __init__(self, index: int) -> None:
            self.minutes, self.steps, self.recent_returns = float(index), 100 * index, [10.0 * index]

    def play_games(context: object, agent: int, protocol: object) -> dict[str, Any]:
        if agent < 30:
            time.sleep(60)
        return {"mean": 450.0, "standard_error": 5.0, "truncated_games": 0, "seed": 3}

    monkeypatch.setattr(large_machine, "load_checkpoint", lambda path: Checkpoint(int(path.name)))
    monkeypatch.setattr(large_machine, "load_agent", lambda path: int(path.name))
    monkeypatch.setattr(large_machine, "play_games", play_games)
    result: dict[str, Any] = {"evaluated": [], "minutes_to": None, "searched_to_the_end": False}
    began = time.monotonic()
    budget = TimeBudget(0)
    budget.seconds = budget.used() + 0.5
    with budget.hard_stop(reserve=0.2):
        large_machine.evaluate(cast(Any, None), [Path(str(index)) for index in range(32)], result)
    assert time.monotonic() - began < 5
    assert not result["searched_to_the_end"]
    assert [row["minutes"] for row in result["evaluated"]] == [31]
    assert result["minutes_to"]["400"] == {"minutes": None, "not_by": None, "reached_by": 31.0}


def test_the_time_counts_from_the_start_of_the_process() -> None:
    assert TimeBudget(1).used() > 0.1, "Python and torch took as long"


def test_a_training_ends_with_its_score_its_time_or_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_machine, "LOOK_SECONDS", 0.01)

    def reason(command: str, scores: list[float], seconds: float) -> str:
        return wait_for_end(Program([sys.executable, "-c", command]), curves(scores), seconds)

    sleep = "import time; time.sleep(60)"
    assert reason(sleep, [440.0] * 5, seconds=30) == "score"
    assert reason(sleep, [440.0] * 3, seconds=0.1) == "time"
    assert reason("", [1.0], seconds=30) == "its last step"


def test_a_score_is_enough_when_it_has_lasted() -> None:
    assert learned_enough(curves([100.0, 440.0, 435.0, 431.0, 450.0]))
    assert not learned_enough(curves([440.0, 440.0, 429.0, 440.0, 440.0])), "it fell meanwhile"
    assert not learned_enough(curves([440.0] * 3)), "too short"
    assert not learned_enough(curves([]))


def test_the_facts_of_a_training_are_those_of_its_curves() -> None:
    facts = training_facts(curves([0.0] * 12 + [7.0]), bare_steps_per_second=400)
    assert (facts["minutes"], facts["steps"], facts["steps_per_second"]) == (2.0, 12_000, 100)
    assert facts["steps_per_second_of_first_minute"] == 100
    assert facts["fraction_of_bare_emulator"] == 0.25
    assert facts["staleness_updates"] == 14.5
    assert facts["score_of_last_100_games"] == 7
    assert training_facts(curves([1.0] * 3), 400)["steps_per_second_of_first_minute"] is None
    assert training_facts(curves([]), 400) == {}


@pytest.mark.parametrize(
    ("cores", "device", "tried"),
    [
        (2, "cpu", [(8, 16), (2, 16), (2, 4), (1, 16)]),
        (16, "cpu", [(16, 8), (16, 16), (16, 4), (8, 8), (1, 8)]),
        (16, "cuda", [(16, 8), (4, 64), (8, 32), (16, 16)]),
        (8, "cuda", [(8, 8), (4, 64), (8, 32)]),
    ],
)
def test_the_numbers_of_train_py_are_tried_first(cores: int, device: Device, tried: list[tuple[int, int]]) -> None:
    configs = large_machine.candidates(cores, device)
    assert [(config.learners.threads, config.learners.envs) for config in configs] == tried
    assert {config.network.device for config in configs} == {device}


def test_gradients_on_the_same_device_do_not_differ() -> None:
    differences = device_check.gradient_differences("cpu")
    assert {row["float32"] for row in differences.values()} == {0.0}
    assert all(1e-4 < row["bf16"] < 0.5 for row in differences.values())


def test_one_file_tells_what_the_time_was_too_short_for(tmp_path: Path) -> None:
    output = tmp_path / "new" / "cores.json"
    command = [sys.executable, "-m", "benchmarks.speed.large_machine", "--minutes-budget", "0.1", "--output", output]
    run(command, cwd=ROOT, check=True, capture_output=True)
    result = json.loads(output.read_text())
    assert result["cores"] >= 1
    assert result["bare_emulator_steps_per_second"] is None
    assert result["minutes_to"] is None
    assert result["searched_to_the_end"] is False
    assert result["total_seconds"] > 0
    assert list(output.parent.iterdir()) == [output]
