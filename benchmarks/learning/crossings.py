"""When trainings reached scores: tables and pictures of what ``time_to_score`` keeps."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.drawing import BY_MINUTES_AND_STEPS, draw_band, two_charts
from benchmarks.common.intervals import Interval

TARGETS = (100, 200, 300, 400)
MAX_DRIFT = 0.15
GRID_POINTS = 60  # of the curve over all seeds

Results = Sequence[dict[str, Any]]  # one a seed


def first_crossing(result: dict[str, Any], target: float) -> tuple[float, float] | None:
    """Return minutes and steps of the first snapshot whose mean reached ``target`` twice, None where there is none.

    Results from before 2026-11-28 have snapshots a minute apart that were played once.
    """
    for snapshot in result["snapshots"]:
        again = snapshot.get("confirmed", {"mean": 0.0} if "episodes" in snapshot else snapshot)
        if min(snapshot["mean"], again["mean"]) >= target:
            return snapshot["minutes"], snapshot["steps"]
    return None


def median_minutes(results: Results, target: float) -> float | None:
    """Return the median of the minutes to ``target`` over the seeds; None where most did not reach it."""
    crossings = [first_crossing(result, target) for result in results]
    median = statistics.median_low(sorted(c[0] if c else float("inf") for c in crossings))
    return None if median == float("inf") else median


def table(results: Results, intervals: Mapping[str, Any] | None = None) -> str:
    """Return minutes and steps to each target as Markdown, a column a seed, the median and the interquartile mean.

    Args:
        results: What is kept of each seed.
        intervals: What ``intervals_of`` returned for them.
    """
    seeds = [f"seed {result['seed']}" for result in results]
    heads = ["mean score", *seeds, "median", *(["interquartile mean (95% interval)"] if intervals else [])]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for target in TARGETS:
        crossings = [first_crossing(result, target) for result in results]
        cells = [f"{c[0]:.1f} min, {c[1] / 1e6:.2f}M steps" if c else "not reached" for c in crossings]
        cells.append(minutes_text(median_minutes(results, target)))
        if intervals:
            cells.append(interval_text(intervals["minutes"].get(str(target))))
        lines.append("| " + " | ".join([str(target), *cells]) + " |")
    return "\n".join(lines)


def minutes_text(minutes: float | None) -> str:
    """Return minutes as a cell of a table."""
    return "not reached" if minutes is None else f"{minutes:.1f} min"


def interval_text(numbers: Sequence[float] | None) -> str:
    """Return an interval of minutes as a cell of a table."""
    return "not reached by all" if numbers is None else f"{Interval(*numbers).text()} min"


def drifted(result: dict[str, Any]) -> bool:
    """Return whether the emulator's speed moved too much for the run's minutes to mean anything."""
    speeds = result["emulator_steps_per_second"]
    return bool(max(speeds) / min(speeds) - 1 > MAX_DRIFT)


def drift_warnings(results: Results) -> list[str]:
    """Return a sentence for each run during which the machine changed its speed."""
    return [
        f"seed {result['seed']}: the emulator's speed moved, repeat it: {result['emulator_steps_per_second']}"
        for result in results
        if drifted(result)
    ]


def intervals_of(
    results: Results, estimate: Callable[[Mapping[str, Sequence[float]]], dict[str, Interval]]
) -> dict[str, Any]:
    """Return interquartile means over the seeds: the minutes to each target that all reached, the end, the curve.

    Args:
        results: Of two seeds or more.
        estimate: ``interquartile_means``.
    """
    asked: dict[str, list[float]] = {}
    for target in TARGETS:
        crossings = [first_crossing(result, target) for result in results]
        if all(crossings):
            asked[f"minutes {target}"] = [crossing[0] for crossing in crossings if crossing]
    asked["end"] = [result["end"]["mean"] for result in results]
    grid = common_minutes(results)
    curves = np.array([np.interp(grid, *curve_of(result)) for result in results]).T  # (points, seeds)
    asked |= {f"curve {number}": scores.tolist() for number, scores in enumerate(curves)}
    found = estimate(asked)
    return {
        "seeds": [result["seed"] for result in results],
        "minutes": {name.split()[1]: list(interval) for name, interval in found.items() if name.startswith("minutes")},
        "end": list(found["end"]),
        "curve": [
            [round(float(minutes), 2), *(round(value, 1) for value in found[f"curve {number}"])]
            for number, minutes in enumerate(grid)
        ],
    }


def curve_of(result: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Return the minutes and mean scores of a run's snapshots."""
    points = result["snapshots"]
    return [point["minutes"] for point in points], [point["mean"] for point in points]


def common_minutes(results: Results) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return minutes, evenly spaced, at which each run has snapshots before and after."""
    minutes = [curve_of(result)[0] for result in results]
    return np.linspace(max(each[0] for each in minutes), min(each[-1] for each in minutes), GRID_POINTS)


def draw(results: Results, path: Path, intervals: Mapping[str, Any] | None = None) -> None:
    """Draw the mean score of each seed's snapshots against minutes and steps, and the band over the seeds.

    Args:
        results: What is kept of each seed.
        path: The PNG to write.
        intervals: What ``intervals_of`` returned for them.
    """
    y_label = "score: mean of 100 fresh games"
    with two_charts(path, BY_MINUTES_AND_STEPS, y_label, size=(11, 4)) as axes:
        for result in results:
            minutes, scores = curve_of(result)
            steps = np.array([point["steps"] for point in result["snapshots"]]) / 1e6
            for axis, x in zip(axes, (minutes, steps), strict=True):
                axis.plot(x, scores, label=f"seed {result['seed']}", linewidth=0.8)
                axis.set_yticks((0, *TARGETS))
        if intervals:
            x, means, low, high = np.array(intervals["curve"]).T
            label = f"interquartile mean of {len(results)} seeds,\n95% interval"
            draw_band(axes[0], x, means, low, high, label, "k-")
        axes[0].legend(frameon=False)
