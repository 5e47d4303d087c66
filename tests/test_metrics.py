import math
import shutil
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from breakout_a3c.config import BREAKOUT
from breakout_a3c.curves import draw_curves, read_curve
from breakout_a3c.errors import UserError
from breakout_a3c.metrics import MetricsWriter, TrainingStatistics
from breakout_a3c.reports import UpdateStatistics, WorkerReport
from breakout_a3c.rollout import FinishedGame


def report(*returns: float, count: int = 0, **means: float) -> WorkerReport:
    games = [FinishedGame(value, 10, False) for value in returns]
    return WorkerReport(0, games, UpdateStatistics(count=count, means=means))


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return events


def test_the_score_is_the_mean_of_the_last_100_games() -> None:
    statistics = TrainingStatistics()
    assert math.isnan(statistics.mean_return())
    statistics.add(report(*[500.0] * 50, *[1.0] * 60, *[3.0] * 40))
    assert statistics.mean_return() == pytest.approx(0.6 * 1 + 0.4 * 3)
    assert statistics.games == 150
    assert statistics.best_return == 500


def test_means_are_weighted_by_updates_and_begin_anew() -> None:
    statistics = TrainingStatistics()
    statistics.add(report(count=1, entropy=1.0))
    statistics.add(report(count=3, entropy=2.0))
    statistics.add(report(count=3, entropy=math.nan))
    assert statistics.take_scalars()["entropy"] == pytest.approx(1.75)
    assert "entropy" not in statistics.take_scalars()


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


def test_a_folder_that_vanishes_is_told_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    writer = MetricsWriter(folder, BREAKOUT, 0)
    shutil.rmtree(folder)
    for steps in range(1, 6):
        writer.write({"x": steps}, steps)
    writer.close()
    assert read(folder).Scalars("x")[-1].step == 5


def test_curves_are_drawn(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path / "run", BREAKOUT, 0)
    for steps in (100, 200, 300):
        writer.write({"rollout/ep_rew_mean": steps / 10, "time/minutes": steps / 50, "rollout/games": steps}, steps)
    writer.write({"eval/mean_reward": 15.0}, 200)
    writer.close()
    curve = read_curve(tmp_path / "run")
    assert curve.scores.tolist() == [10, 20, 30]
    assert curve.minutes.tolist() == [2, 4, 6]
    assert (curve.evaluation_steps.tolist(), curve.evaluation_scores.tolist()) == ([200], [15])
    draw_curves([curve], tmp_path / "curve.png", "title")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("exists", [False, True])
def test_a_run_without_scores_is_told(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "run"
    if exists:
        MetricsWriter(folder, BREAKOUT, 0).close()
    with pytest.raises(UserError):
        read_curve(folder)
