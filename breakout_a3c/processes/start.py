"""How processes start and end: the rules that keep a training alive and leave nothing behind.

Children come from a forkserver that has imported torch once; starting 8 that each import it takes
15 s on two cores. Only the trainer handles SIGINT, SIGTERM and SIGHUP; its children end when the shared
flag is set, or when the trainer is gone.
"""

import atexit
import multiprocessing
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection, forkserver, resource_tracker, util
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from breakout_a3c.config import StartMethod
from breakout_a3c.extensions import extension_files, load_extensions
from breakout_a3c.interrupts import take_interrupts
from breakout_a3c.processes.resources import folder_for_sockets, require_open_files

Context = ForkServerContext | SpawnContext
PRELOAD_FIRST = "breakout_a3c.processes.preload"

# glibc returns large blocks to the kernel when they are freed, and each page that comes back is a
# fault, at 6 us on a virtual machine; children keep theirs.
MALLOC_KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
PARENT_ENDS_MS = 1_000  # a process that has closed its files has ended long before that
HANDLED_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def process_context(method: StartMethod, preload: Sequence[str] = ()) -> Context:
    """Return a context whose children do not get signals; a forkserver is started and warms up.

    Args:
        method: How children start.
        preload: Modules that a forkserver imports once for all of them.

    Raises:
        UserError: If there are too few open files for a child, or no folder for the forkserver's socket.
    """
    require_open_files()
    for name, value in MALLOC_KEEPS_MEMORY.items():
        os.environ.setdefault(name, value)
    atexit.register(kill_children)  # after that of multiprocessing, so before it
    # Now, as its start unblocks the signals that the children are to inherit blocked.
    resource_tracker.ensure_running()
    if method == "spawn":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    choose_folder_for_sockets()
    context.set_forkserver_preload([PRELOAD_FIRST, *preload])
    os.environ["FORKSERVER_PARENT"] = str(os.getpid())  # for PRELOAD_FIRST
    with signals_blocked(), package_importable():
        forkserver.ensure_running()
    return context


def start_process(context: Context, name: str, target: Callable[..., None], *args: Any) -> BaseProcess:
    """Start a child that runs ``target(*args)`` by the rules of this module."""
    sockets = util.get_temp_dir() if isinstance(context, ForkServerContext) else None
    process = context.Process(
        target=run_child, args=(sockets, extension_files(), target, *args), name=name, daemon=True
    )
    with signals_blocked():
        process.start()
    return process


def kill_children() -> None:
    """Kill the children that an error left: they block the SIGTERM of multiprocessing, which would wait for ever."""
    for child in multiprocessing.active_children():
        child.kill()


def choose_folder_for_sockets() -> None:
    """Have multiprocessing make its private folder for sockets where they can be made; it removes it at exit."""
    before = tempfile.tempdir
    tempfile.tempdir = folder_for_sockets()
    try:
        util.get_temp_dir()  # made once for the life of this process
    finally:
        tempfile.tempdir = before


def remove_folder_for_sockets() -> None:
    """Remove what ``choose_folder_for_sockets`` made, in a process that will be killed when it has done its work."""
    shutil.rmtree(util.get_temp_dir(), ignore_errors=True)


def run_child(sockets: str | None, extensions: Sequence[str], target: Callable[..., None], *args: Any) -> None:
    """Set up a child process and run ``target(*args)`` in it.

    Args:
        sockets: The parent's folder for sockets, which it cannot remove when it is killed.
        extensions: The files that the parent has imported.
        target: What to run.
        args: Its arguments.
    """
    import torch  # only here: the trainer starts the forkserver first, and imports torch beside it

    watch = die_with_parent(sockets)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # decaying mean squares reach denormals, which are slow
    load_extensions(extensions)
    target(*args)
    if parent_is_gone():
        watch.join()  # it ends this process when it has cleared up


def parent_is_gone(timeout: float | None = 0) -> bool:
    """Return whether the parent has ended, or needs this process no more; wait ``timeout`` seconds for that."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is for child processes"
    return bool(connection.wait([parent.sentinel], timeout))


def die_with_parent(sockets: str | None) -> threading.Thread:
    """End this process as soon as its parent is gone, for whatever reason, and remove the parent's ``sockets``.

    getppid() does not help: the parent of a forkserver's child is the forkserver, which lives as long as
    its children.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert parent.pid is not None
    end = select.poll()
    if sockets is not None and sys.platform == "linux":
        with suppress(AttributeError, OSError):  # of a Python that was built for an old system; of an old kernel
            end.register(os.pidfd_open(parent.pid), select.POLLIN)

    def wait() -> None:
        parent_is_gone(timeout=None)
        if sockets is not None and end.poll(PARENT_ENDS_MS):
            shutil.rmtree(sockets, ignore_errors=True)
        os._exit(1)

    watch = threading.Thread(target=wait, name="die-with-parent", daemon=True)
    watch.start()
    return watch


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
    collected = take_interrupts()  # one that came before and did not end this program
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
