import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

from breakout_a3c.commands import curves as command
from breakout_a3c.errors import UserError
from breakout_a3c.playing.curves import EVALUATION, GAMES, MINUTES, SCORE, STICKY_SCORE, Curve, draw_curves, read_curve
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.training.metrics import MetricsWriter


def test_curves_are_drawn(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path / "run", BREAKOUT, 0)
    for steps in (100, 200, 300):
        writer.write({SCORE: steps / 10, MINUTES: steps / 50, GAMES: steps}, steps)
    writer.write({EVALUATION: 15.0}, 200)
    writer.write({STICKY_SCORE: 8.0}, 300)
    writer.close()
    curve = read_curve(tmp_path / "run")
    assert curve.scores.tolist() == [10, 20, 30]
    assert curve.minutes.tolist() == [2, 4, 6]
    assert (curve.evaluation_steps.tolist(), curve.evaluation_scores.tolist()) == ([200], [15])
    assert (curve.sticky_steps.tolist(), curve.sticky_scores.tolist()) == ([300], [8])
    draw_curves([curve], tmp_path / "curve.png", "title")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


SCORES = {
    "pong": (-21.0, -20.5, 3.0, 21.0),
    "skiing": (-30_000.0, -17_000.0, -9_000.0, -3_000.0),
    "a million": (0.0, 5_000.0, 400_000.0, 1e6),
    "all equal": (7.0, 7.0, 7.0, 7.0),
    "all zero": (0.0, 0.0, 0.0, 0.0),
    "all equal and negative": (-21.0, -21.0, -21.0, -21.0),
    "one score": (-3.5,),
    "both signs in two runs": (2.0, 3.0, -400.0),
}


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
def test_any_scores_are_drawn_upright_and_whole(
    scores: tuple[float, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.arange(1.0, len(scores) + 1)
    first = Curve("first", 1e5 * x, x, 10 * x, np.array(scores), *[np.array([])] * 4)
    second = replace(first, name="second", scores=2 * first.scores, evaluation_steps=x, evaluation_scores=3 * x)
    second = replace(second, sticky_steps=x, sticky_scores=4 * x)
    drawn = np.concatenate([first.scores, second.scores, second.evaluation_scores, second.sticky_scores])
    low, high = drawn.min(), drawn.max()
    monkeypatch.setattr(plt, "close", lambda figure: None)
    draw_curves([first, second], tmp_path / "curve.png", "title")
    figure = plt.gcf()
    monkeypatch.undo()
    plt.close(figure)
    assert len(figure.axes) == 3
    for axis in figure.axes:
        bottom, top = axis.get_ylim()
        assert bottom <= low <= high <= top
        assert (bottom == 0) == (low >= 0), "an axis from 0 where no score is below"
        assert top - bottom < 1.2 * (high - min(low, 0)), "the scores fill it"
        assert axis.get_xlim()[0] == 0
        assert axis.lines[0].get_marker() == ("o" if len(scores) == 1 else "None"), "one point is no line"


def test_what_was_not_written_with_a_score_is_interpolated(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path, BREAKOUT, 0)
    for steps, minutes in ((100, 1.0), (300, 2.0)):
        writer.write({MINUTES: minutes, GAMES: 10 * steps}, steps)
    for steps in (100, 150, 200):
        writer.write({SCORE: 1.0}, steps)
    writer.close()
    curve = read_curve(tmp_path)
    assert np.array_equal(curve.minutes, [1.0, 1.25, 1.5])
    assert np.array_equal(curve.games, [1000, 1500, 2000])


def test_several_runs_become_one_picture_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two", "three"):
        writer = MetricsWriter(tmp_path / name, BREAKOUT, 0)
        if name != "two":  # no game has ended there yet
            writer.write({SCORE: 1.0, MINUTES: 1.0, GAMES: 1}, 100)
        writer.close()
    (tmp_path / "a file").touch()
    picture = tmp_path / "picture.png"
    runs = [str(path) for path in sorted(tmp_path.iterdir())]
    monkeypatch.setattr(sys, "argv", ["curves", *runs, "--output", str(picture)])
    assert command.main() == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr()
    assert printed.out == f"{picture}\n"
    assert [line.startswith("left out: ") for line in printed.err.splitlines()] == [True, True]
    for bad in ([str(tmp_path / "two")], [*runs, "--output", "picture.jpg"]):
        monkeypatch.setattr(sys, "argv", ["curves", *bad])
        with pytest.raises(UserError):
            command.main()


@pytest.mark.parametrize("exists", [False, True])
def test_a_run_without_scores_is_an_error(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "run"
    if exists:
        MetricsWriter(folder, BREAKOUT, 0).close()
    with pytest.raises(UserError):
        read_curve(folder)
