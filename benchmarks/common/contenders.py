"""Contenders that run in turn, in short slices of one run, while the others are stopped (SIGSTOP).

A shared machine that slows down slows all of them down; a ratio is taken between slices of the same
round.
"""

import signal
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from breakout_a3c.config import TrainConfig
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import load_weights
from breakout_a3c.training.plan import TrainingPlan, initial_parameters
from breakout_a3c.training.supervisor import Supervisor

SETTLE_SECONDS = 1.0


@dataclass
class Contender:
    """Processes that count agent steps."""

    name: str
    processes: list[psutil.Process]
    steps: Callable[[], int]
    attend: Callable[[], object] = lambda: None  # what their parent has to do while they run
    close: Callable[[], object] = lambda: None  # what their parent has to do before they are killed
    rates: list[float] = field(default_factory=list)  # agent steps per second, one a slice
    cpu_use: list[float] = field(default_factory=list)  # cores
    memory_mb: float = 0.0

    def signal(self, number: signal.Signals) -> None:
        """Stop or continue all processes."""
        for process in self.processes:
            process.send_signal(number)

    def run_slice(self, seconds: float) -> None:
        """Run for a while and note speed and CPU use."""
        self.signal(signal.SIGCONT)
        self._attend(SETTLE_SECONDS)
        cpu, steps, began = self._cpu_seconds(), self.steps(), time.monotonic()
        self._attend(seconds)
        elapsed = time.monotonic() - began
        self.rates.append((self.steps() - steps) / elapsed)
        self.cpu_use.append((self._cpu_seconds() - cpu) / elapsed)
        self.memory_mb = sum(process.memory_full_info().pss for process in self.processes) / 2**20
        self.signal(signal.SIGSTOP)

    def end(self) -> None:
        """End all processes."""
        with suppress(psutil.NoSuchProcess):
            self.signal(signal.SIGCONT)
        self.close()
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def summary(self, reference: "Contender") -> dict[str, Any]:
        """Return the medians of the slices, and of their ratios to those of ``reference`` in the same rounds."""
        ratios = [rate / other for rate, other in zip(self.rates, reference.rates, strict=True)]
        return {
            "name": self.name,
            "steps_per_second": round(statistics.median(self.rates)),
            "frames_per_second": round(4 * statistics.median(self.rates)),
            "share_of_reference": round(statistics.median(ratios), 3),
            "cores_used": round(statistics.median(self.cpu_use), 2),
            "memory_mb": round(self.memory_mb),
            "share_of_rounds": [round(ratio, 3) for ratio in ratios],
            "steps_per_second_of_rounds": [round(rate) for rate in self.rates],
        }

    def _attend(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.attend()
            time.sleep(0.05)

    def _cpu_seconds(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)


def training(context: Context, name: str, config: TrainConfig, model: Path | None) -> Contender:
    """Start the actor-learners of a training."""
    initial = load_weights(model) if model else None
    shared = initial_parameters(TrainingPlan(config, name, Path(), Path(), initial=initial))
    supervisor = Supervisor(context, config, shared)
    supervisor.start()
    processes = [psutil.Process(pid) for pid in supervisor.process_ids()]
    contender = Contender(name, processes, shared.total_steps, lambda: supervisor.poll(0))
    return started(contender, lambda: int(shared.updates.min()) >= 2)


def started(contender: Contender, is_at_work: Callable[[], bool] | None = None) -> Contender:
    """Wait until a contender is at work, by its steps unless told otherwise, and stop it until its first slice."""
    is_at_work = is_at_work or (lambda: contender.steps() >= 500)
    while not is_at_work():
        contender.attend()
        time.sleep(0.1)
    contender.signal(signal.SIGSTOP)
    return contender


def run_rounds(contenders: list[Contender], rounds: int, slice_seconds: float) -> None:
    """Run each contender's slice in each round, then end them all."""
    try:
        for number in range(rounds):
            for contender in contenders:
                contender.run_slice(slice_seconds)
                print(f"round {number + 1}: {contender.name}: {contender.rates[-1]:,.0f} steps/s", flush=True)
    finally:
        for contender in contenders:
            contender.end()
