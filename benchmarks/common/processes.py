"""Processes: how benchmarks start theirs, and how those of a training look from outside."""

import time

import psutil

from breakout_a3c.processes.start import Context, process_context

PRELOAD = ("breakout_a3c.learning.actor_learner", "breakout_a3c.playing.evaluation_pool")  # what the processes run
SAMPLE_SECONDS = 10.0


def benchmark_context() -> Context:
    """Return a context whose processes share what they import, as those of a training do."""
    return process_context("forkserver", PRELOAD)


def title_of(process: psutil.Process) -> str:
    """Return a process's command, by which Ray tells what it is."""
    return " ".join(process.cmdline())


def sample(trainer: psutil.Process, began: float) -> dict[str, float]:
    """Return one row: memory in MB (PSS), CPU seconds so far, descriptors and threads of the whole tree.

    Raises:
        psutil.Error: If the trainer has ended.
    """
    processes = [trainer, *trainer.children(recursive=True)]
    trainer_memory = trainer.memory_full_info().pss
    memory, files, threads = 0, 0, 0
    for process in processes:
        try:
            memory += process.memory_full_info().pss
            files += process.num_fds()
            threads += process.num_threads()
        except psutil.Error:
            continue  # it has just ended
    seconds = time.monotonic() - began
    return {
        "minutes": round(seconds / 60, 2),
        "memory_mb": round(memory / 2**20),
        "trainer_memory_mb": round(trainer_memory / 2**20),
        "trainer_cpu_seconds": round(sum(trainer.cpu_times()[:2]), 1),
        "processes": len(processes),
        "files": files,
        "threads": threads,
    }
