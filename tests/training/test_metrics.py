import errno
import math
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from breakout_a3c.commands import curves
from breakout_a3c.errors import UserError
from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning.reports import LearnerReport, UpdateStatistics
from breakout_a3c.playing.curves import draw_curves, read_curve
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.training import metrics
from breakout_a3c.training.metrics import MetricsWriter, mirror_to_wandb
from breakout_a3c.training.statistics import TrainingStatistics


def report(*returns: float, count: int = 0, **means: float) -> LearnerReport:
    games = [FinishedGame(value, 10, False) for value in returns]
    return LearnerReport(0, games, UpdateStatistics(count=count, means=means))


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


def test_each_game_is_written_once_and_each_worker_has_its_mean(tmp_path: Path) -> None:
    statistics = TrainingStatistics()
    for learner_id, returns in ((0, [1.0, 3.0]), (2, [8.0]), (0, [5.0])):
        games = [FinishedGame(value, 10 * int(value), False) for value in returns]
        statistics.add(LearnerReport(learner_id, games, UpdateStatistics()))
    scalars = statistics.take_scalars()
    assert {name: value for name, value in scalars.items() if name.startswith("workers/")} == {
        "workers/ep_rew_mean_0": 3.0,
        "workers/ep_rew_mean_2": 8.0,
    }
    writer = MetricsWriter(tmp_path, BREAKOUT, 0)
    writer.write(scalars, 100, statistics.take_games())
    writer.write(scalars, 200, statistics.take_games())
    writer.close()
    events = read(tmp_path)
    assert [(point.step, point.value) for point in events.Scalars("games/score")] == [
        (100, 1.0), (100, 3.0), (100, 8.0), (100, 5.0),
    ]  # fmt: skip
    assert [point.value for point in events.Scalars("games/length")] == [10, 30, 80, 50]


def test_wandb_mirrors_the_run_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    wandb = ModuleType("wandb")
    wandb.init = lambda **settings: calls.append(settings)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    mirror_to_wandb(tmp_path / "a-run", BREAKOUT)
    (call,) = calls
    assert (call["name"], call["sync_tensorboard"], call["config"]["seed"]) == ("a-run", True, BREAKOUT.upkeep.seed)
    assert call["dir"].is_dir(), "it writes there"


def test_without_wandb_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="install it, or leave out --wandb"):
        mirror_to_wandb(tmp_path, BREAKOUT)


def test_updates_that_are_not_finite_are_counted_in_a_row() -> None:
    statistics = TrainingStatistics()
    for finite, not_finite in ((0, 5), (0, 7), (1, 3), (0, 2)):
        statistics.add(LearnerReport(0, [], UpdateStatistics(count=finite, not_finite=not_finite)))
    assert (statistics.updates_not_finite, statistics.not_finite_in_a_row) == (17, 2)


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


def test_a_folder_that_vanishes_is_told_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_disk_that_is_full_at_the_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(metrics.SummaryWriter, "flush", fail)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        MetricsWriter(tmp_path, BREAKOUT, 0)


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


def test_several_runs_become_one_picture_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two", "three"):
        writer = MetricsWriter(tmp_path / name, BREAKOUT, 0)
        if name != "two":  # no game has ended there yet
            writer.write({"rollout/ep_rew_mean": 1.0, "time/minutes": 1.0, "rollout/games": 1}, 100)
        writer.close()
    (tmp_path / "a file").touch()
    picture = tmp_path / "picture.png"
    runs = [str(path) for path in sorted(tmp_path.iterdir())]
    monkeypatch.setattr(sys, "argv", ["curves", *runs, "--output", str(picture)])
    assert curves.main() == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr()
    assert printed.out == f"{picture}\n"
    assert [line.startswith("left out: ") for line in printed.err.splitlines()] == [True, True]
    for bad in ([str(tmp_path / "two")], [*runs, "--output", "picture.jpg"]):
        monkeypatch.setattr(sys, "argv", ["curves", *bad])
        with pytest.raises(UserError):
            curves.main()


@pytest.mark.parametrize("exists", [False, True])
def test_a_run_without_scores_is_told(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "run"
    if exists:
        MetricsWriter(folder, BREAKOUT, 0).close()
    with pytest.raises(UserError):
        read_curve(folder)
