import ast
import errno
import math
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import breakout_a3c
from breakout_a3c.errors import UserError
from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning.reports import MEASURES, UpdateMeasures
from breakout_a3c.playing import curves
from breakout_a3c.playing.evaluation import EvaluationResult, Protocol
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.training import metrics
from breakout_a3c.training.evaluator import Evaluation
from breakout_a3c.training.metrics import (
    LAYOUT,
    MEASURE_TAGS,
    MetricsWriter,
    evaluation_scalars,
    has_curve,
    measure_scalars,
    status_scalars,
)
from tests.training.test_console import STATUS

PACKAGE = Path(breakout_a3c.__file__).parent
TAG = re.compile(r"\b(train|rollout|async|workers|eval|games|time)/[a-z_]+")
READ_TAGS = {curves.SCORE, curves.STICKY_SCORE, curves.EVALUATION, curves.MINUTES, curves.GAMES}
EVALUATION = Evaluation(
    EvaluationResult(Protocol(episodes=2), [FinishedGame(4.0, 30, True), FinishedGame(6.0, 50, False)], 2), b"", 0.05
)


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return events


def test_a_status_becomes_scalars() -> None:
    scalars = status_scalars(STATUS)
    assert scalars["rollout/ep_rew_mean"] == STATUS.mean_return
    assert scalars["rollout/ep_rew_mean_sticky"] == STATUS.mean_sticky_return
    assert scalars["rollout/ep_len_mean"] == STATUS.mean_length
    assert scalars["rollout/games"] == STATUS.games
    assert scalars["time/fps"] == STATUS.steps_per_second
    assert scalars["async/workers_alive"] == STATUS.learners_alive
    assert scalars["async/workers_replaced"] == STATUS.learners_replaced
    assert {tag: mean for tag, mean in scalars.items() if tag.startswith("workers/")} == {
        "workers/ep_rew_mean_0": 130.0,
        "workers/ep_rew_mean_2": 132.5,
    }


def test_a_status_without_a_game_has_no_score() -> None:
    start = replace(
        STATUS, mean_return=math.nan, mean_length=math.nan, mean_sticky_return=math.nan, mean_returns_of_learners={}
    )
    assert {tag for tag in status_scalars(STATUS) if tag not in status_scalars(start)} == {
        "rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/ep_rew_mean_sticky",
        "workers/ep_rew_mean_0", "workers/ep_rew_mean_2",
    }  # fmt: skip
    assert all(math.isfinite(value) for value in status_scalars(start).values())


def test_what_was_not_measured_has_no_scalar() -> None:
    assert set(MEASURE_TAGS) == set(MEASURES), "each measure has its tag"
    assert measure_scalars(UpdateMeasures(entropy=0.5, staleness=0)) == {
        "train/entropy": 0.5,
        "async/staleness_updates": 0,
    }


def test_an_evaluation_becomes_scalars() -> None:
    assert evaluation_scalars(EVALUATION) == {
        "eval/mean_reward": 5.0,
        "eval/mean_ep_length": 40.0,
        "eval/truncated_games": 1,
        "eval/cpu_share": 0.05,
    }


def written_tags() -> set[str]:
    """Return the tags of everything that a training can write."""
    return {*status_scalars(STATUS), *MEASURE_TAGS.values(), *evaluation_scalars(EVALUATION)}


def tags_in(path: Path) -> set[str]:
    """Return the tags in the strings of a module, docstrings and parts of f-strings included."""
    constants = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    return {found[0] for value in constants if isinstance(value, str) for found in TAG.finditer(value)}


def test_tags_stand_in_two_modules_alone() -> None:
    """metrics writes them; curves reads five of them."""
    found = {str(path.relative_to(PACKAGE)): tags_in(path) for path in PACKAGE.rglob("*.py")}
    assert {name for name, tags in found.items() if tags} == {"training/metrics.py", "playing/curves.py"}
    assert found["playing/curves.py"] == READ_TAGS


def test_what_the_curves_read_and_the_charts_show_is_written() -> None:
    charted = {tag.removesuffix("$") for _, tags in LAYOUT.values() for tag in tags}
    assert READ_TAGS | charted <= written_tags()


def test_each_game_is_written(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path, BREAKOUT, 0)
    writer.write({}, 100, [FinishedGame(value, 10 * int(value), False) for value in (1.0, 3.0)])
    writer.write({}, 200, [FinishedGame(8.0, 80, True), FinishedGame(2.0, 20, False, sticky=True)])
    writer.close()
    events = read(tmp_path)
    assert [(point.step, point.value) for point in events.Scalars("games/score")] == [(100, 1), (100, 3), (200, 8)]
    assert [point.value for point in events.Scalars("games/length")] == [10, 30, 80]
    assert [(point.step, point.value) for point in events.Scalars("games/score_sticky")] == [(200, 2)]
    assert [point.value for point in events.Scalars("games/length_sticky")] == [20]


def test_a_resume_hides_the_points_after_it_and_goes_on(tmp_path: Path) -> None:
    first = MetricsWriter(tmp_path, BREAKOUT, 0)
    for steps in (100, 200, 300):
        first.write({"x": steps}, steps)
    first.close()
    second = MetricsWriter(tmp_path, BREAKOUT, 200)
    second.write({"x": -250}, 250)
    second.close()
    assert [(point.step, point.value) for point in read(tmp_path).Scalars("x")] == [(100, 100), (200, 200), (250, -250)]


def test_hyper_parameters_stand_in_the_same_run(tmp_path: Path) -> None:
    MetricsWriter(tmp_path, BREAKOUT, 0).close()
    assert [path.is_file() for path in tmp_path.iterdir()] == [True]
    assert "hparams" in read(tmp_path).summary_metadata["_hparams_/session_start_info"].plugin_data.plugin_name


def test_a_folder_that_vanishes_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    writer = MetricsWriter(folder, BREAKOUT, 0)
    shutil.rmtree(folder)
    for steps in range(1, 6):
        writer.write({"x": steps}, steps)
    assert not list(folder.glob("*")), "it is not tried again at once: each try is a new file"
    monkeypatch.setattr(metrics, "RETRY_SECONDS", 0.0)
    writer._retry_at = 0.0
    for steps in range(6, 9):
        writer.write({"x": steps}, steps)
    writer.close()
    assert read(folder).Scalars("x")[-1].step == 8


def test_a_disk_that_is_full_at_the_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(metrics.SummaryWriter, "flush", fail)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        MetricsWriter(tmp_path, BREAKOUT, 0)


def test_a_curve_is_what_has_a_point_after_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert not has_curve(folder)
    writer = MetricsWriter(folder, BREAKOUT, 0)
    writer.write({"x": 1.0}, 0)
    assert not has_curve(folder)
    writer.write({"x": 1.0}, 64)
    assert has_curve(folder)
    writer.close()
    (path,) = folder.glob("events.*")
    path.write_bytes(path.read_bytes()[:-3])
    assert not has_curve(folder), "what was being written when the disk was full or the power went"
    path.write_bytes(b"no event file")
    assert not has_curve(folder)
    path.unlink()
    path.mkdir()
    assert has_curve(folder), "what cannot be read is left to its owner"


def test_a_start_that_learned_nothing_is_hidden(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        writer = MetricsWriter(tmp_path, BREAKOUT, 0)
        writer.write({"x": value}, 0)
        writer.close()
    assert [point.value for point in read(tmp_path).Scalars("x")] == [2.0]


@pytest.mark.parametrize("steps", [0, 200])
def test_a_clock_that_was_set_back_mixes_no_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """TensorBoard reads files in the order of the times in their names. A resume may follow after the leap."""
    clock = [time.time()]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    first = MetricsWriter(tmp_path, BREAKOUT, 0)
    first.write({"x": 100.0}, 100)
    first.close()
    clock[0] += 3600
    second = MetricsWriter(tmp_path, BREAKOUT, 100)
    for at in (200, 300):
        second.write({"x": float(at)}, at)
    second.close()
    clock[0] -= 86_400
    third = MetricsWriter(tmp_path, BREAKOUT, steps)
    third.write({"x": steps + 50.0}, steps + 50)
    third.close()
    kept = [point for point in (100.0, 200.0, 300.0) if point <= steps]
    assert [point.value for point in read(tmp_path).Scalars("x")] == [*kept, steps + 50.0]
    assert len(list(tmp_path.glob("events.*"))) == 3, "nothing recorded is removed"
