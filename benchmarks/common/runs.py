"""What is kept of trainings: results as JSON, curves, logs."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from breakout_a3c.playing.curves import Curve

LOG_LINE = re.compile(r"([\d,]+) steps +([\d.]+) min .* score ([\d.]+) ")

Array = NDArray[np.float64]


def write_result(result: dict[str, Any], path: Path) -> None:
    """Write a result, innermost lists and rows in one line each; what was there stays until it is complete."""
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[[^][{}]*\]", lambda match: " ".join(match[0].split()), text)
    text = re.sub(r"\{[^{}]*\}", lambda match: " ".join(match[0].split()), text)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text + "\n")
    temporary.replace(path)


def read_result(path: Path) -> dict[str, Any]:
    """Read what ``write_result`` or ``play.py --json`` wrote."""
    result: dict[str, Any] = json.loads(path.read_text())
    return result


class LoggedCurve(NamedTuple):
    """A training's log, ``(N,)`` each."""

    minutes: Array
    steps: Array
    scores: Array  # mean of the last 100 training games


def read_log(path: Path) -> LoggedCurve:
    """Return the curve that the log of a training tells, from its first score on."""
    rows = [match.groups() for match in LOG_LINE.finditer(path.read_text())]
    numbers = np.array([[float(number.replace(",", "")) for number in row] for row in rows]).reshape(-1, 3)
    steps, minutes, scores = numbers.T
    return LoggedCurve(minutes, steps, scores)


class Series(NamedTuple):
    """A curve of TensorBoard, ``(N,)`` each."""

    steps: Array  # agent steps
    values: Array
    times: Array  # seconds since 1970


class Events:
    """What a training has written to TensorBoard so far.

    Args:
        folder: ``runs/<run>``, which need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        self._folder = folder
        self._events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        self.reload()

    def reload(self) -> None:
        """Read what has come since."""
        if self._folder.is_dir():
            self._events.Reload()

    def tags(self) -> list[str]:
        """Return the names of the curves."""
        return list(self._events.Tags()["scalars"])

    def series(self, tag: str) -> Series:
        """Return a curve, empty where there is none."""
        points = self._events.Scalars(tag) if tag in self._events.Tags()["scalars"] else []
        columns = np.array([(point.step, point.value, point.wall_time) for point in points]).reshape(-1, 3)
        return Series(*columns.T)


def thinned(curve: Curve, last: int, points: int) -> dict[str, list[float]]:
    """Return up to so many points of a curve, the first one and the one at ``last`` among them."""
    kept = np.unique(np.linspace(0, last, points).astype(int))
    return {
        "minutes": [round(value, 3) for value in curve.minutes[kept]],
        "steps": [round(value) for value in curve.steps[kept]],
        "scores": [round(value, 1) for value in curve.scores[kept]],
    }


def first_reaching(points: Iterable[tuple[float, float, float]], target: float) -> tuple[float, float] | None:
    """Return minutes and steps of the first point whose score reaches ``target``.

    Args:
        points: Minutes, agent steps and score of each, in the order of time.
        target: The score.
    """
    return next(((minutes, steps) for minutes, steps, score in points if score >= target), None)
