import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.runs import Events, first_reaching, read_log, read_result, thinned, write_result
from benchmarks.common.trainings import Training
from breakout_a3c.playing.curves import Curve
from breakout_a3c.presets import PRESETS
from breakout_a3c.training.metrics import MetricsWriter


def test_the_curve_of_a_training_is_read_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "seed-1.log"
    log.write_text(
        "Training breakout by A3C with 8 actor-learners x 16 games.\n"
        "  0.0%  0 steps  0.0 min  time left -  0 steps/s  score - (best -)  entropy -  checkpoint 0.0 min ago\n"
        "  1.7%  84,976 steps  1.0 min  47 min left  1,731 steps/s  score 2.3 (best 7.0)  entropy 1.013\n"
        "100.0%  5,000,384 steps  51.2 min  0 s left  1,637 steps/s  score 391.6 (best 864.0)  entropy 0.500\n"
    )
    curve = read_log(log)
    assert curve.minutes.tolist() == [1.0, 51.2]
    assert curve.steps.tolist() == [84_976, 5_000_384]
    assert curve.scores.tolist() == [2.3, 391.6]


def test_a_log_without_a_score_is_an_empty_curve(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Stopped before anything was learned: nothing was saved.\n")
    assert [len(column) for column in read_log(tmp_path / "log")] == [0, 0, 0]


def test_a_result_is_written_whole_with_its_rows_in_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    result = {"rows": [{"name": "a", "rates": [1, 2]}, {"name": "b", "rates": []}], "machine": {"cores": 2}}
    write_result(result, path)
    assert read_result(path) == json.loads(path.read_text()) == result
    assert '  { "name": "a", "rates": [ 1, 2 ] },' in path.read_text().splitlines()
    with pytest.raises(TypeError):
        write_result({"path": path}, path)
    assert read_result(path) == result, "what was there stays"
    assert list(path.parent.iterdir()) == [path]


def test_curves_are_read_while_they_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    events = Events(folder)
    assert len(events.series("time/minutes").steps) == 0, "the folder need not be there yet"
    writer = MetricsWriter(folder, PRESETS["cartpole"], steps=0)
    for steps in (10, 20):
        writer.write({"time/minutes": steps / 10}, steps)
        events.reload()
    curve = events.series("time/minutes")
    writer.close()
    assert curve.steps.tolist() == [10, 20]
    assert curve.values.tolist() == [1, 2]
    assert (np.diff(curve.times) >= 0).all()


def test_a_thinned_curve_keeps_its_first_and_last_point() -> None:
    numbers = np.arange(1000.0)
    curve = Curve("run", numbers * 10, numbers / 60, numbers, numbers / 2, *[numbers[:0]] * 4)
    kept = thinned(curve, last=900, points=10)
    assert len(kept["steps"]) == len(kept["scores"]) == len(kept["minutes"]) == 10
    assert (kept["steps"][0], kept["steps"][-1]) == (0, 9000)
    assert kept["minutes"][-1] == 15.0
    assert len(thinned(curve, last=3, points=10)["steps"]) == 4, "no point is kept twice"


def test_the_first_point_that_reaches_a_score_counts() -> None:
    points = [(1.0, 10.0, 99.9), (2.0, 20.0, 100.0), (3.0, 30.0, 90.0)]
    assert first_reaching(points, 100) == (2.0, 20.0)
    assert first_reaching(points, 101) is None


def test_snapshots_are_in_the_order_of_their_steps(tmp_path: Path) -> None:
    training = Training(tmp_path, "run")
    assert training.snapshots() == []
    folder = tmp_path / "checkpoints" / "run"
    folder.mkdir(parents=True)
    for name in ("step_000000000020.pt", "step_000000000003.pt", "best.pt"):
        (folder / name).touch()
    assert [path.name for path in training.snapshots()] == ["step_000000000003.pt", "step_000000000020.pt"]
