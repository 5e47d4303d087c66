"""The newest parameters of a running training, for those who watch it.

They are asked for and given by files in the run's folder. A watcher touches ``wanted``; the trainer, which looks once
a second, then writes ``newest.pt``, a checkpoint without games, and ``curve.json``. So nothing is done while nobody
asks, and neither waits for the other for long.
"""

import json
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from breakout_a3c.errors import UserError
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from breakout_a3c.saving.files import write_atomically
from breakout_a3c.saving.run_folder import LOCK
from breakout_a3c.saving.run_names import all_checkpoints, as_written

FOLDER, WANTED, NEWEST, CURVE = "watch", "wanted", "newest.pt", "curve.json"
ANSWER_SECONDS = 4.0
LOOK_SECONDS = 0.1
MAX_POINTS = 400
Curve = Sequence[tuple[float, float]]  # million agent steps, mean score of the last 100 training games


class Watched:
    """The trainer's side.

    Args:
        run: The run's folder of checkpoints.
        steps: Agent steps of the run so far; its curve up to there is the one that an earlier training left.
    """

    def __init__(self, run: Path, steps: int = 0) -> None:
        self._folder = run / FOLDER
        self._answered = 0
        self._curve = [point for point in read_curve(self._folder) if point[0] <= steps / 1e6]

    def note(self, steps: int, score: float) -> None:
        """Remember a point of the curve; of a long run, every second one."""
        if not math.isnan(score):  # as it is before the first game has ended
            self._curve.append((steps / 1e6, score))
        if len(self._curve) > MAX_POINTS:
            del self._curve[-2::-2]

    def is_wanted(self) -> bool:
        """Return whether a watcher has asked since the last time."""
        try:
            asked = (self._folder / WANTED).stat().st_mtime_ns
        except OSError:
            return False
        wanted, self._answered = asked != self._answered, asked
        return wanted

    def give(self, checkpoint: Checkpoint) -> None:
        """Answer a watcher.

        Raises:
            OSError: If the folder cannot be written.
            ValueError: If a parameter is not finite.
        """
        self._write_curve()
        save_checkpoint(replace(checkpoint, play_states=[]), self._folder / NEWEST)

    def close(self) -> None:
        """Leave the curve for a training that goes on; the last checkpoint is newer than what watchers were given."""
        if self._folder.exists():
            with suppress(OSError):
                self._write_curve()
            with suppress(OSError):
                (self._folder / NEWEST).unlink(missing_ok=True)

    def _write_curve(self) -> None:
        curve = json.dumps(self._curve)
        write_atomically(self._folder / CURVE, lambda temporary: temporary.write_text(curve))


class Newest(NamedTuple):
    """What a watcher shows."""

    path: Path
    checkpoint: Checkpoint
    curve: Curve


class Watcher:
    """The other side: asks for the newest parameters.

    Args:
        run: The run's folder of checkpoints.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._folder = run / FOLDER

    def ask(self) -> Newest:
        """Return the newest parameters; those of the last checkpoint where no training answers.

        Raises:
            UserError: If there is neither an answer nor a checkpoint.
        """
        given = self._folder / NEWEST
        before = time_of(given)
        try:
            self._folder.mkdir(exist_ok=True)
            (self._folder / WANTED).touch()
        except OSError as error:
            raise UserError(f"{self._folder} cannot be written ({error.strerror}): watch a run of your own.") from error
        deadline = time.monotonic() + ANSWER_SECONDS
        while time_of(given) == before and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        known = as_written([*all_checkpoints(self._run), *([given] if before or time_of(given) else [])])
        if not known:
            raise UserError(
                f"nothing trains in {self._run}, and it has no checkpoint: start a training, or name another."
            )
        return Newest(known[-1], load_checkpoint(known[-1]), read_curve(self._folder))


def read_curve(folder: Path) -> Curve:
    """Return the curve, empty where there is none."""
    try:
        points = json.loads((folder / CURVE).read_text())
        curve = [(float(x), float(y)) for x, y in points]
        return [point for point in curve if all(map(math.isfinite, point))]
    except (OSError, ValueError, TypeError, OverflowError, RecursionError):
        return []


def time_of(path: Path) -> int:
    """Return when a file was written, in ns; 0 if it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def newest_run(checkpoints: Path) -> Path:
    """Return the folder of the run whose training was started last.

    Raises:
        UserError: If there is none.
    """
    locks = sorted(checkpoints.glob(f"*/{LOCK}"), key=time_of)
    if not locks:
        raise UserError(f"there is no run in {checkpoints}: start a training, or give --follow its folder.")
    return locks[-1].parent
