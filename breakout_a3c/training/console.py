"""The console of a training: a live table in a terminal, a line every 30 s in a log."""

import math
import os
import sys
import time
from pathlib import Path
from typing import IO, Any, cast

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from breakout_a3c.training.status import MachineStatus, TrainingStatus

PLAIN_SECONDS = 30.0
SILENT_SECONDS = 3.0  # after which a machine's last figures are not shown any more


class LastingOutput:
    """A stream that drops what cannot be written: its reader may leave, its terminal close, its disk fill.

    Args:
        stream: Such as stdout.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream, such as its encoding."""
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        """Write what can be written."""
        try:
            self._stream.write(text)
        except OSError:
            self._discard()

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self._stream.flush()
        except OSError:
            self._discard()

    def _discard(self) -> None:
        """Empty the buffer: otherwise its next flush fails, such as that of multiprocessing when a process starts."""
        try:
            descriptor = self._stream.fileno()
        except OSError:
            return  # a notebook's stream has none, and no buffer that multiprocessing would flush
        kept = os.dup(descriptor)
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
            self._stream.flush()
        os.dup2(kept, descriptor)
        os.close(kept)


class TrainingConsole:
    """Shows statuses and messages, on a terminal or in a log."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._console = Console(file=cast(IO[str], LastingOutput(sys.stdout)), highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._printed_at = -math.inf

    def start(self) -> None:
        """Begin the live table."""
        if self._live:
            self._live.start()

    def stop(self) -> None:
        """Leave the last table on the screen, and give the terminal back."""
        if self._live:
            self._live.stop()

    def say(self, message: str) -> None:
        """Print a message above the table."""
        self._console.print(message, markup=False)

    def update(self, status: TrainingStatus) -> None:
        """Show ``status``: at once in a terminal, every 30 s in a log."""
        if self._live:
            self._live.update(live_table(self._run, status), refresh=True)
        elif time.monotonic() - self._printed_at >= PLAIN_SECONDS:
            self._printed_at = time.monotonic()
            self._console.print(plain_line(status), markup=False)


def live_table(run: str, status: TrainingStatus) -> Table:
    """Return the table that a terminal of 80 columns shows."""
    table = Table(title=f"run {run}", title_justify="left", width=78, show_header=False)
    for _ in range(2):
        table.add_column(style="dim", no_wrap=True)
        table.add_column(justify="right", ratio=1)
    table.add_row(
        "progress",
        ProgressBar(total=1, completed=status.progress, width=18),
        f"{status.progress:.1%}",
        time_left(status),
    )
    trouble = f", {status.learners_replaced} {lost_or_replaced(status)}" if status.learners_replaced else ""
    evaluation = "-" if status.evaluation is None else number(status.evaluation)
    rows = [
        ("agent steps", f"{status.steps:,}", "score, last 100", number(status.mean_return)),
        ("steps/s", f"{status.steps_per_second:,.0f}", "best score", number(status.best_return)),
        ("frames/s", f"{status.steps_per_second * status.frame_skip:,.0f}", "last evaluation", evaluation),
        ("games", f"{status.games:,}", "entropy", number(status.entropy, 3)),
        ("actor-learners", f"{status.learners_alive}/{status.learners}{trouble}", "minutes", f"{status.minutes:.1f}"),
        ("memory", f"{status.memory_mb:,.0f} MB", "last checkpoint", f"{status.minutes_since_checkpoint:.1f} min ago"),
    ]
    if math.isfinite(status.mean_sticky_return):
        rows.append(("", "", "score, sticky", number(status.mean_sticky_return)))
    if status.updates_not_finite:
        rows.append(("not finite", f"{status.updates_not_finite} updates", "", ""))
    rows += [(machine.name, *machine_cells(machine)) for machine in status.machines]
    for row in rows:
        table.add_row(*row)
    return table


def lost_or_replaced(status: TrainingStatus) -> str:
    """Return what became of actor-learners that died: on a cluster their machine may be gone, too."""
    return "lost" if status.machines else "replaced"


def machine_cells(machine: MachineStatus) -> tuple[str, str, str]:
    """Return how fast a machine is, how many of its actor-learners live, and how late their gradients are."""
    alive = f"{machine.learners_alive}/{machine.learners} alive"
    if machine.starting:
        return "starting", alive, f"for {machine.silent_seconds:.0f} s"
    if machine.silent_seconds >= SILENT_SECONDS:
        return "silent", alive, f"for {machine.silent_seconds:.0f} s"
    return (
        f"{machine.steps_per_second:,.0f} steps/s",
        alive,
        f"{number(machine.staleness, 0)} updates late",
    )


def plain_line(status: TrainingStatus) -> str:
    """Return the line that a log or a pipe gets."""
    parts = [
        f"{status.progress:6.1%}",
        f"{status.steps:,} steps",
        f"{status.minutes:.1f} min",
        time_left(status),
        f"{status.steps_per_second:,.0f} steps/s",
        f"{status.steps_per_second * status.frame_skip:,.0f} frames/s",
        f"score {number(status.mean_return)} (best {number(status.best_return)}){sticky_score(status)}",
        f"entropy {number(status.entropy, 3)}",
        f"{status.learners_alive}/{status.learners} actor-learners",
        f"{status.memory_mb:,.0f} MB",
        f"checkpoint {status.minutes_since_checkpoint:.1f} min ago",
    ]
    if status.learners_replaced:
        parts.append(f"{status.learners_replaced} {lost_or_replaced(status)}")
    if status.updates_not_finite:
        parts.append(f"{status.updates_not_finite} updates not finite")
    parts += [
        f"{machine.name}: {', '.join(machine_cells(machine))}"
        + (f", {machine.exchange_seconds * 1000:.0f} ms an exchange" if machine.exchange_seconds else "")
        for machine in status.machines
    ]
    return "  ".join(parts)


def sticky_score(status: TrainingStatus) -> str:
    """Return the mean score of the training games with sticky actions, once there are any."""
    return f", sticky {number(status.mean_sticky_return)}" if math.isfinite(status.mean_sticky_return) else ""


def number(value: float, digits: int = 1) -> str:
    """Format a value that may not exist yet."""
    return f"{value:,.{digits}f}" if math.isfinite(value) else "-"


def time_left(status: TrainingStatus) -> str:
    """Format the minutes that remain."""
    if not math.isfinite(status.minutes_left):
        return "time left -"
    hours, minutes = divmod(round(status.minutes_left), 60)
    return f"{hours} h {minutes:02d} min left" if hours else f"{minutes} min left"
