"""Pictures: one chart, or two side by side that share their scores."""

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
    figure, axes = subplots(2, size)
    yield axes
    for axis, label in zip(axes, x_labels, strict=True):  # after all lines: limits that are set grow no more
        axis.set_xlabel(label)
        style_axis(axis)
    axes[0].set_ylabel(y_label)
    if logarithmic_from is not None:
        axes[1].set_xscale("log")
        axes[1].set_xlim(left=logarithmic_from)
    write(figure, path)


@contextmanager
def chart(path: Path, x_label: str, size: tuple[float, float]) -> Iterator[Any]:
    """Yield an axis to draw on, then style, label and write it.

    Args:
        path: The PNG to write.
        x_label: What is on the x axis.
        size: In inches.
    """
    figure, axis = subplots(1, size)
    yield axis
    axis.set_xlabel(x_label)
    style_axis(axis)
    write(figure, path)


def subplots(columns: int, size: tuple[float, float]) -> Any:
    """Return a figure and its axes, which share their y."""
    import matplotlib as mpl  # only here: the processes that a benchmark starts import this module, too

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(1, columns, figsize=size, sharey=True, layout="constrained")


def write(figure: Any, path: Path) -> None:
    """Write a figure, and forget it."""
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_band(axis: Any, x: Any, scores: Any, low: Any, high: Any, label: str, style: str = "-") -> None:
    """Draw scores ``(N,)`` and the band from ``low`` to ``high`` around them."""
    (line,) = axis.plot(x, scores, style, label=label, linewidth=1.5)
    axis.fill_between(x, low, high, color=line.get_color(), alpha=0.17, linewidth=0)
