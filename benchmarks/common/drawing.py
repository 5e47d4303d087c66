"""Pictures: two charts side by side that share their scores."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from breakout_a3c.playing.curves import style_axis

BY_MINUTES_AND_STEPS = ("minutes of training", "million agent steps")


@contextmanager
def two_charts(
    path: Path,
    x_labels: tuple[str, str],
    y_label: str,
    size: tuple[float, float],
    logarithmic_from: float | None = None,
) -> Iterator[Any]:
    """Yield two axes to draw on, then style, label and write them.

    Args:
        path: The PNG to write.
        x_labels: One a chart.
        y_label: Of both.
        size: Of both together, in inches.
        logarithmic_from: Where the second chart's logarithmic x axis begins; None: it is linear.
    """
    import matplotlib as mpl  # only here: the processes that a benchmark starts import this module, too

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    yield axes
    for axis, label in zip(axes, x_labels, strict=True):  # after all lines: limits that are set grow no more
        axis.set_xlabel(label)
        style_axis(axis)
    axes[0].set_ylabel(y_label)
    if logarithmic_from is not None:
        axes[1].set_xscale("log")
        axes[1].set_xlim(left=logarithmic_from)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_band(axis: Any, x: Any, scores: Any, low: Any, high: Any, label: str, style: str = "-") -> None:
    """Draw scores ``(N,)`` and the band from ``low`` to ``high`` around them."""
    (line,) = axis.plot(x, scores, style, label=label, linewidth=1.5)
    axis.fill_between(x, low, high, color=line.get_color(), alpha=0.17, linewidth=0)
