from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.drawing import BY_MINUTES_AND_STEPS, draw_band, two_charts

X = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("logarithmic_from", [None, 0.5])
def test_two_charts_show_all_that_is_drawn(tmp_path: Path, logarithmic_from: float | None) -> None:
    path = tmp_path / "new" / "curves.png"
    with two_charts(path, BY_MINUTES_AND_STEPS, "score", (6, 3), logarithmic_from) as axes:
        for axis in axes:
            draw_band(axis, X, 10 * X, 9 * X, 11 * X, "first")
            draw_band(axis, 10 * X, 100 * X, 90 * X, 110 * X, "second")
    for axis in axes:
        assert axis.get_xlim()[1] >= 30
        assert axis.get_ylim() >= (0, 330)
    assert axes[0].get_xlim()[0] == 0
    assert axes[1].get_xlim()[0] == (logarithmic_from or 0)
    assert [axis.get_xlabel() for axis in axes] == list(BY_MINUTES_AND_STEPS)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_scores_below_0_on_one_chart_are_whole_on_both(tmp_path: Path) -> None:
    with two_charts(tmp_path / "curves.png", BY_MINUTES_AND_STEPS, "score", (6, 3)) as axes:
        draw_band(axes[0], X, 10 * X, 9 * X, 11 * X, "first")
        draw_band(axes[1], X, -20 * X, -21 * X, -19 * X, "second")
    for axis in axes:
        bottom, top = axis.get_ylim()
        assert bottom <= -63
        assert top >= 33
