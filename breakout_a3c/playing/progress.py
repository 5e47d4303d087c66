"""Shows on stderr how many games are over: a bar on a terminal, otherwise a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_SECONDS = 10.0  # between two lines
ShowProgress = Callable[[int, str], None]  # takes the number of finished games and a text


@contextmanager
def progress(name: str, episodes: int, silent: bool = False) -> Iterator[ShowProgress]:
    """Give a function that shows how many games are over.

    Args:
        name: Stands before the numbers.
        episodes: How many games there are.
        silent: Show nothing.
    """
    if silent:
        yield lambda finished, text: None
    elif sys.stderr.isatty():
        with progress_bar(name, episodes) as show:
            yield show
    else:
        yield progress_lines(name, episodes)


@contextmanager
def progress_bar(name: str, episodes: int) -> Iterator[ShowProgress]:
    """Show a bar that disappears at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(name),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("games, {task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=episodes)
        yield lambda finished, text: bar.update(task, completed=finished, description=text)


def progress_lines(name: str, episodes: int) -> ShowProgress:
    """Return a function that prints a line every LINE_SECONDS."""
    next_line = time.monotonic() + LINE_SECONDS

    def show(finished: int, text: str) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line += LINE_SECONDS
            print(f"{name}: {finished} of {episodes} games, {text}", file=sys.stderr, flush=True)

    return show
