"""The curves of a run; no other module writes TensorBoard's tags.

Tags are those of Stable-Baselines3, so that runs of both lie in one chart; those below ``async/`` are A3C's own. The
x axis is agent steps. A resume goes on with the counts of games and of updates. The counts of truncated games, of
updates that were not finite, of replaced actor-learners and of dropped reports begin again at 0.
"""

import math
import statistics
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning.reports import UpdateMeasures
from breakout_a3c.saving.run_names import cannot_write
from breakout_a3c.training.evaluator import Evaluation
from breakout_a3c.training.status import TrainingStatus

RETRY_SECONDS = 60.0  # each try is a new file
EVENT_FILES = "events.out.tfevents."  # what their names begin with; the time follows
MEASURE_TAGS = {  # by the names in UpdateMeasures
    "policy_loss": "train/policy_loss",
    "value_loss": "train/value_loss",
    "entropy": "train/entropy",
    "max_probability": "rollout/max_probability",
    "grad_norm": "train/grad_norm",
    "staleness": "async/staleness_updates",
    "kl": "train/approx_kl",
    "value_change": "train/value_change",
    "explained_variance": "train/explained_variance",
}
# Charts of TensorBoard's tab "Custom Scalars", in this order.
LAYOUT = {
    "score: last 100 games, and evaluations": [
        "Multiline",
        ["rollout/ep_rew_mean$", "eval/mean_reward", "rollout/ep_rew_mean_sticky"],
    ],
    "length of a game, agent steps": ["Multiline", ["rollout/ep_len_mean"]],
    "losses": ["Multiline", ["train/policy_loss", "train/value_loss"]],
    "entropy, nats": ["Multiline", ["train/entropy$"]],
    "speed, agent steps/s": ["Multiline", ["time/fps"]],
    "change of the policy by an update, nats": ["Multiline", ["train/approx_kl"]],
    "change of the values by an update": ["Multiline", ["train/value_change"]],
    "staleness, updates": ["Multiline", ["async/staleness_updates"]],
}


def status_scalars(status: TrainingStatus) -> dict[str, float]:
    """Return the tags and values of a moment of the training."""
    scalars = {
        "rollout/games": status.games,
        "rollout/truncated_games": status.truncated_games,
        "train/learning_rate": status.learning_rate,
        "train/entropy_coef": status.entropy_coef,
        "time/fps": status.steps_per_second,
        "time/minutes": status.minutes,
        "time/memory_mb": status.memory_mb,
        "async/updates": status.updates,
        "async/updates_per_second": status.updates_per_second,
        "async/workers_alive": status.learners_alive,
        "async/workers_replaced": status.learners_replaced,
        "async/updates_not_finite": status.updates_not_finite,
        "async/reports_dropped": status.reports_dropped,
    }
    if math.isfinite(status.mean_return):
        scalars |= {"rollout/ep_rew_mean": status.mean_return, "rollout/ep_len_mean": status.mean_length}
    if math.isfinite(status.mean_sticky_return):
        scalars["rollout/ep_rew_mean_sticky"] = status.mean_sticky_return
    for machine in status.machines:
        scalars |= {
            f"machines/steps_per_second_{machine.name}": machine.steps_per_second,
            f"machines/learners_alive_{machine.name}": machine.learners_alive,
            f"machines/exchange_seconds_{machine.name}": machine.exchange_seconds,
        }
        if math.isfinite(machine.staleness):
            scalars[f"machines/staleness_updates_{machine.name}"] = machine.staleness
    return scalars | {f"workers/ep_rew_mean_{i}": mean for i, mean in status.mean_returns_of_learners.items()}


def measure_scalars(measures: UpdateMeasures) -> dict[str, float]:
    """Return the tags and values of what updates measured; what was not measured is absent."""
    values = {tag: getattr(measures, name) for name, tag in MEASURE_TAGS.items()}
    return {tag: value for tag, value in values.items() if value is not None}


def evaluation_scalars(evaluation: Evaluation) -> dict[str, float]:
    """Return the tags and values of an evaluation."""
    result = evaluation.result
    return {
        "eval/mean_reward": result.mean,
        "eval/mean_ep_length": statistics.fmean(game.episode_length for game in result.games),
        "eval/truncated_games": sum(game.truncated for game in result.games),
        "eval/cpu_share": evaluation.cpu_fraction,
    }


class MetricsWriter:
    """Writes one run's curves; if the disk fails, ``error`` says so, and a later call tries again.

    Args:
        folder: ``runs/<run>``.
        config: Hyper-parameters, shown with the curves.
        steps: Agent steps when this process begins; a resume hides the later points of an earlier process.

    Raises:
        UserError: If the folder cannot be written.
    """

    def __init__(self, folder: Path, config: TrainConfig, steps: int) -> None:
        self._folder = folder
        self._retry_at = 0.0
        self.error = ""
        hide_tracebacks_of_writers()
        try:
            # From 0 on for a new run: a start that was stopped at once may have written the moment 0.
            self._writer: SummaryWriter | None = open_writer(folder, purge_step=steps + 1 if steps else 0)
            self._write_config(self._writer, config, steps)
        except OSError as error:
            raise cannot_write(folder, error, "--runs") from error

    @staticmethod
    def _write_config(writer: SummaryWriter, config: TrainConfig, steps: int) -> None:
        """Write the hyper-parameters, and the layout of the charts."""
        values = {name: "none" if value is None else value for name, value in config.to_dict().items()}
        # Not add_hparams, which would open a second run.
        for summary in hparams(values, {"rollout/ep_rew_mean": 0.0, "eval/mean_reward": 0.0}):
            write_summary(writer, summary, steps)
        writer.add_custom_scalars({"training": LAYOUT})
        table = "\n".join(f"| {name} | {value} |" for name, value in values.items())
        writer.add_text("config", f"| setting | value |\n|---|---|\n{table}", steps)
        writer.flush()

    def write(
        self, scalars: dict[str, float], steps: int, games: Iterable[FinishedGame] = (), animation: bytes = b""
    ) -> None:
        """Write scalars, each game's score and length, and an animated GIF unless it is empty, all at ``steps``.

        After a failure nothing is written for RETRY_SECONDS.
        """
        if self._writer is None and time.monotonic() < self._retry_at:
            return
        try:
            if self._writer is None:
                self._writer = open_writer(self._folder)
            for tag, value in scalars.items():
                self._writer.add_scalar(tag, value, steps)
            for game in games:
                suffix = "_sticky" if game.sticky else ""
                self._writer.add_scalar(f"games/score{suffix}", game.episode_return, steps)
                self._writer.add_scalar(f"games/length{suffix}", game.episode_length, steps)
            if animation:
                image = Summary.Image(encoded_image_string=animation)
                write_summary(self._writer, Summary(value=[Summary.Value(tag="eval/game", image=image)]), steps)
            self._writer.flush()
        except OSError as error:
            self.error = str(error)
            self._writer, self._retry_at = None, time.monotonic() + RETRY_SECONDS

    def close(self) -> None:
        """Close the file."""
        try:
            if self._writer is not None:
                self._writer.close()
        except OSError as error:
            self.error = str(error)


def open_writer(folder: Path, purge_step: int | None = None) -> SummaryWriter:
    """Return a writer of a new file, whose points follow those of the files that are there.

    Args:
        folder: ``runs/<run>``.
        purge_step: From this step on, earlier points are hidden.

    Raises:
        OSError: If the folder cannot be written.
    """
    let_names_be_past(folder)
    return SummaryWriter(str(folder), purge_step=purge_step, flush_secs=10)


def let_names_be_past(folder: Path) -> None:
    """Rename event files whose names are of the future, as the clock was set back.

    TensorBoard reads the files of a run in the order of their names, which begin with a time.
    """
    files = event_files(folder)
    now = int(time.time())
    if not files or files[-1].name < f"{EVENT_FILES}{now + 1:010d}":
        return
    for earlier, path in enumerate(files):
        rest = path.name.removeprefix(EVENT_FILES).partition(".")[2]
        path.rename(path.with_name(f"{EVENT_FILES}{now - len(files) + earlier:010d}.{rest}"))


def event_files(folder: Path) -> list[Path]:
    """Return TensorBoard's files in a run's folder, in the order in which it reads them."""
    return sorted(folder.glob(f"{EVENT_FILES}*"))


def has_curve(folder: Path) -> bool:
    """Return whether an event file in ``folder`` has a point after step 0, so that somebody may want it."""
    records = (record for path in event_files(folder) for record in RawEventFileLoader(str(path)).Load())
    try:
        return any(Event.FromString(record).step > 0 for record in records)
    except OSError:
        return True  # another user's, which may not be read


def hide_tracebacks_of_writers() -> None:
    """Let TensorBoard's threads print no traceback: the writer's next call raises their errors again."""
    print_traceback = threading.excepthook

    def print_others(arguments: threading.ExceptHookArgs) -> None:
        if not (isinstance(arguments.thread, _AsyncWriterThread) and isinstance(arguments.exc_value, OSError)):
            print_traceback(arguments)

    threading.excepthook = print_others


def write_summary(writer: SummaryWriter, summary: Summary, steps: int) -> None:
    """Write a summary for which SummaryWriter has no method."""
    file_writer: Any = writer.file_writer  # torch declares it as None
    file_writer.add_summary(summary, steps)
