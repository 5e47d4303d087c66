"""Pictures: two charts side by side that share their scores."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from breakout_a3c.playing.curves import style_axis

BY_MINUTES_AND_STEPS = ("minutes of training", "million agent steps")


@contextmanager
def two_charts(path: Path, x_labels: tuple[str, str], y_label: str, size: tuple[float, float]) -> Iterator[Any]:
    """Yield two axes to draw on, then label and write them.

    Args:
        path: The PNG to write.
        x_labels: One a chart.
        y_label: Of both.
        size: Of both together, in inches.
    """
    import matplotlib as mpl  # only here: the processes that a benchmark starts import it, too

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    yield axes
    for axis, label in zip(axes, x_labels, strict=True):
        axis.set_xlabel(label)
    axes[0].set_ylabel(y_label)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_band(axis: Any, x: Any, scores: Any, low: Any, high: Any, label: str, style: str = "-") -> None:
    """Draw scores ``(N,)`` and the band from ``low`` to ``high`` around them."""
    (line,) = axis.plot(x, scores, style, label=label, linewidth=1.5)
    axis.fill_between(x, low, high, color=line.get_color(), alpha=0.17, linewidth=0)
    style_axis(axis)


def score_ticks(axis: Any, targets: tuple[int, ...]) -> None:
    """Have the ticks of the scores at 0 and at ``targets``."""
    axis.set_yticks(np.array((0, *targets)))
