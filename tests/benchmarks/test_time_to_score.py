import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common import trainings
from benchmarks.common.intervals import Interval
from benchmarks.common.paths import ROOT
from benchmarks.learning import crossings, extensions, time_to_score
from breakout_a3c.processes.start import process_context


def confirmed(snapshot: dict[str, Any]) -> dict[str, Any]:
    return snapshot | {"confirmed": {"mean": snapshot["mean"]}}


def result_of(seed: int, means: list[tuple[float, int, float]]) -> dict[str, Any]:
    """Return what is kept of a run with such snapshots: minutes, steps, mean."""
    snapshots = [confirmed({"minutes": m, "steps": s, "mean": mean, "episodes": 100}) for m, s, mean in means]
    return {"seed": seed, "snapshots": snapshots, "emulator_steps_per_second": [100, 101]}


RISING = result_of(
    1, [(1.0, 1_000_000, 90.0), (2.0, 2_000_000, 101.0), (3.0, 3_000_000, 99.0), (4.0, 4_000_000, 210.0)]
)


def test_the_time_to_a_score_is_that_of_the_first_snapshot_that_reaches_it(tmp_path: Path) -> None:
    found = [crossings.first_crossing(RISING, target) for target in (100, 200, 300)]
    assert found == [(2.0, 2_000_000), (4.0, 4_000_000), None]
    crossings.draw([RISING], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_set_of_games_has_to_confirm_a_score() -> None:
    once = {"minutes": 1.0, "steps": 10, "mean": 130.0, "episodes": 100}
    snapshots = [once | {"episodes": 30}, once | {"confirmed": {"mean": 99.0}}, confirmed(once | {"minutes": 2.0})]
    assert crossings.first_crossing({"snapshots": snapshots}, 100) == (2.0, 10)


def test_intervals_are_asked_of_what_all_seeds_have() -> None:
    def estimate(values: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
        return {
            name: Interval(sum(numbers) / len(numbers), min(numbers), max(numbers)) for name, numbers in values.items()
        }

    slower = result_of(2, [(2.0, 1_000_000, 50.0), (3.0, 2_500_000, 100.0)])
    found = crossings.intervals_of([each | {"end": {"mean": 400.0}} for each in (RISING, slower)], estimate)
    assert found["minutes"] == {"100": [2.5, 2.0, 3.0]}, "only one reached 200"
    assert found["end"] == [400.0, 400.0, 400.0]
    assert found["curve"][0] == [2.0, 75.5, 50.0, 101.0]
    assert found["curve"][-1] == [3.0, 99.5, 99.0, 100.0]
    assert "| 2.5 (2.0 to 3.0) min |" in crossings.table([RISING, slower], found)


def test_the_table_has_a_column_a_seed_and_the_median() -> None:
    slower = result_of(2, [(3.0, 2_500_000, 100.0)])
    lines = crossings.table([RISING, slower, slower]).splitlines()
    assert lines[0] == "| mean score | seed 1 | seed 2 | seed 2 | median |"
    assert lines[2] == "| 100 | 2.0 min, 2.00M steps | 3.0 min, 2.50M steps | 3.0 min, 2.50M steps | 3.0 min |"
    assert lines[3] == "| 200 | 4.0 min, 4.00M steps | not reached | not reached | not reached |"


def test_a_machine_that_changed_its_speed_is_told() -> None:
    moved = RISING | {"emulator_steps_per_second": [100, 120]}
    assert crossings.drift_warnings([RISING]) == []
    assert "seed 1" in crossings.drift_warnings([RISING, moved])[0]


def test_a_training_that_was_stopped_goes_on_where_it_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    signals: list[int] = []
    snapshot = tmp_path / "work" / "checkpoints" / "seed-2" / "step_000000001000.pt"

    class Process:
        def __init__(self, command: list[str], **_: object) -> None:
            commands.append(command)
            self.waits = 0

        def send_signal(self, number: int) -> None:
            signals.append(number)

        def wait(self, seconds: float | None = None) -> int:
            self.waits += 1
            if len(commands) == 1 and self.waits == 1:
                raise KeyboardInterrupt
            if len(commands) == 1:
                snapshot.parent.mkdir(parents=True)
                snapshot.touch()
            return 0

    monkeypatch.setattr(time_to_score, "emulator_speed", lambda context: 100.0 + 10 * len(commands))
    monkeypatch.setattr(time_to_score, "describe_machine", dict)
    monkeypatch.setattr(trainings.subprocess, "Popen", Process)

    def run_seed() -> dict[str, Any]:
        context = process_context("forkserver")
        training = time_to_score.training_of(2, tmp_path / "work")
        return time_to_score.run_seed(context, 2, ["--threads", "4"], training, tmp_path / "seed-2.json")

    with pytest.raises(KeyboardInterrupt):
        run_seed()
    assert signals == [signal.SIGTERM], "it was stopped, and saved"
    for _ in range(2):
        result = run_seed()
    first, second = commands  # what is done is not done again
    assert "--resume" not in first
    assert first[first.index("--threads") + 1] == "4"
    assert (ROOT / second[second.index("--resume") + 1]).resolve() == snapshot
    assert "--threads" not in second, "a run goes on with its own settings"
    assert result["emulator_steps_per_second"] == [100, 110, 120]
    assert crossings.drifted(result)


def test_the_curves_of_the_contenders_are_drawn_from_their_logs(tmp_path: Path) -> None:
    log = tmp_path / "seed-1.log"
    log.write_text("  1.7%  84,976 steps  1.0 min  47 min left  1,731 steps/s  score 2.3 (best 7.0)  entropy 1.013\n")
    extensions.draw({"A3C": [log, log], "A2C": [log]}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
