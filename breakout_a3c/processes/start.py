"""How processes start and end: the rules that keep a training alive and leave nothing behind.

Children come from a forkserver that has imported torch once; starting 8 that each import it takes
15 s on two cores. Only the trainer handles SIGINT, SIGTERM and SIGHUP; its children end when the shared
flag is set, or when the trainer is gone.
"""

import atexit
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from breakout_a3c.config import StartMethod

Context = ForkServerContext | SpawnContext
PRELOAD_FIRST = "breakout_a3c.processes.preload"

# glibc returns large blocks to the kernel when they are freed, and each page that comes back is a
# fault, at 6 us on a virtual machine; children keep theirs.
MALLOC_KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
HANDLED_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def process_context(method: StartMethod, preload: Sequence[str] = ()) -> Context:
    """Return a context whose children do not get signals; a forkserver is started and warms up.

    Args:
        method: How children start.
        preload: Modules that a forkserver imports once for all of them.
    """
    for name, value in MALLOC_KEEPS_MEMORY.items():
        os.environ.setdefault(name, value)
    atexit.register(kill_children)  # after that of multiprocessing, so before it
    # Now, as its start unblocks the signals that the children are to inherit blocked.
    resource_tracker.ensure_running()
    if method == "spawn":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD_FIRST, *preload])
    with signals_blocked(), package_importable():
        forkserver.ensure_running()
    return context


def start_process(context: Context, name: str, target: Callable[..., None], *args: Any) -> BaseProcess:
    """Start a child that runs ``target(*args)`` by the rules of this module."""
    process = context.Process(target=run_child, args=(target, *args), name=name, daemon=True)
    with signals_blocked():
        process.start()
    return process


def kill_children() -> None:
    """Kill the children that an error left: they block the SIGTERM of multiprocessing, which would wait for ever."""
    for child in multiprocessing.active_children():
        child.kill()


def run_child(target: Callable[..., None], *args: Any) -> None:
    """Set up a child process and run ``target(*args)`` in it."""
    import torch  # only here: the trainer starts the forkserver first, and imports torch beside it

    die_with_parent()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # decaying mean squares reach denormals, which are slow
    target(*args)


def die_with_parent() -> None:
    """End this process as soon as its parent is gone, for whatever reason.

    getppid() does not help: the parent of a forkserver's child is the forkserver, which lives as long as
    its children.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "die_with_parent is for child processes"

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, name="die-with-parent", daemon=True).start()


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block the handled signals; processes that are started meanwhile inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def signals_collected() -> Iterator[list[int]]:
    """Collect the handled signals that come during the block in a list, but for those that are ignored, as by nohup."""
    collected: list[int] = []
    before = {number: signal.getsignal(number) for number in HANDLED_SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: collected.append(number))
    try:
        yield collected
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def package_importable() -> Iterator[None]:
    """Let the forkserver find this package from any folder: it swallows an ImportError."""
    before = os.environ.get("PYTHONPATH")
    package_parent = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (package_parent, before)))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
