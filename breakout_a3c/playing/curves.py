"""Reads the learning curves of runs and draws them into a PNG."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from breakout_a3c.errors import UserError

# Tags that training/metrics.py writes. They are constants here, too: this room does not import the training.
SCORE, STICKY_SCORE, EVALUATION = "rollout/ep_rew_mean", "rollout/ep_rew_mean_sticky", "eval/mean_reward"
MINUTES, GAMES = "time/minutes", "rollout/games"


@dataclass(frozen=True, slots=True)
class Curve:
    """The scores of one run, ``(N,)`` each; minutes and games are interpolated at the steps of the scores."""

    name: str
    steps: NDArray[np.float64]
    minutes: NDArray[np.float64]
    games: NDArray[np.float64]
    scores: NDArray[np.float64]  # mean raw score of the last 100 training games
    evaluation_steps: NDArray[np.float64]  # (M,)
    evaluation_scores: NDArray[np.float64]  # (M,)
    sticky_steps: NDArray[np.float64]  # (K,)
    sticky_scores: NDArray[np.float64]  # (K,), of the training games with sticky actions


def read_curve(folder: Path) -> Curve:
    """Read the curve of one run.

    Args:
        folder: ``runs/<run>``, as a training wrote it.

    Raises:
        UserError: If there are no scores in ``folder``.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: name one that a training wrote, such as runs/breakout-....")
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()

    def series(tag: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points = events.Scalars(tag) if tag in events.Tags()["scalars"] else []
        return np.array([point.step for point in points], float), np.array([point.value for point in points], float)

    steps, scores = series(SCORE)
    if not len(steps):
        raise UserError(f"no game has ended in {folder} yet: wait a minute, or name another run.")
    minutes = np.interp(steps, *series(MINUTES))
    games = np.interp(steps, *series(GAMES))
    return Curve(folder.name, steps, minutes, games, scores, *series(EVALUATION), *series(STICKY_SCORE))


def read_curves(folders: list[Path]) -> list[Curve]:
    """Read the curves of several runs; name on stderr those without scores, and leave them out.

    Raises:
        UserError: If no run has scores.
    """
    curves, errors = [], []
    for folder in folders:
        try:
            curves.append(read_curve(folder))
        except UserError as error:
            errors.append(error)
    if not curves:
        raise errors[0]
    for left_out in errors:
        print(f"left out: {left_out}", file=sys.stderr)
    return curves


def draw_curves(curves: list[Curve], path: Path, title: str) -> None:
    """Draw the score against minutes, agent steps and games, side by side.

    Args:
        curves: One a run.
        path: The PNG to write.
        title: Above the picture.

    Raises:
        OSError: If ``path`` cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4), sharey=True, layout="constrained")
    for curve in curves:
        x_values: dict[str, NDArray[np.float64]] = {
            "minutes": curve.minutes,
            "million agent steps": curve.steps / 1e6,
            "thousand games": curve.games / 1e3,
        }
        for axis, (label, x) in zip(axes, x_values.items(), strict=True):
            marker = "o" if len(x) == 1 else None  # one point is no line
            (line,) = axis.plot(x, curve.scores, label=curve.name, linewidth=1.5, marker=marker)
            axis.set_xlabel(label)
            if len(curve.evaluation_steps):
                at = np.interp(curve.evaluation_steps, curve.steps, x)
                axis.plot(at, curve.evaluation_scores, ".", color=line.get_color(), alpha=0.6)
            if len(curve.sticky_steps):
                at = np.interp(curve.sticky_steps, curve.steps, x)
                axis.plot(at, curve.sticky_scores, "--", color=line.get_color(), linewidth=1, alpha=0.8)
    for axis in axes:
        style_axis(axis)
    axes[0].set_ylabel("raw score: mean of the last 100 games\n(dashes: with sticky actions; dots: evaluations)")
    axes[0].legend(frameon=False, loc="upper left")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def style_axis(axis: Any) -> None:
    """Begin the axes at 0, but not the scores' where some are negative; hide the lines that carry no data.

    Args:
        axis: All its lines are drawn, and those of the axes that share its scores.
    """
    axis.grid(alpha=0.25)
    axis.set_xlim(left=0)
    sharing = axis.get_shared_y_axes().get_siblings(axis)
    if min(each.dataLim.ymin for each in sharing) >= 0:
        axis.set_ylim(bottom=0)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
