"""Starts the actor-learners, hears them, replaces those that die, and stops them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import Pipe, connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.learning.actor_learner import run_actor_learner
from breakout_a3c.learning.reports import WorkerFailure, WorkerReport
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.processes.pipes import Inbox
from breakout_a3c.processes.start import Context, start_process

MAX_FRUITLESS_DEATHS = 3
# With the default settings a rollout takes 0.2 s on a fast core, 0.4 s on a slow one.
STOP_SECONDS = 3.0


class WorkersCannotRun(Exception):
    """Nothing more will be learned; the message says why."""


@dataclass(slots=True)
class Worker:
    """One actor-learner process, with what is known of its end."""

    worker_id: int
    process: BaseProcess
    pipe: Connection
    inbox: Inbox  # of the pipe
    updates_at_start: int
    traceback: str = ""


class Supervisor:
    """The actor-learner processes.

    Args:
        context: Starts them.
        config: The run's settings, with their number.
        shared: What they update; it outlives each of them.
        play_states: Of those that go on with their games, where these stand, ``(bytes,)`` uint8.
        target: What a process runs.
    """

    def __init__(
        self,
        context: Context,
        config: TrainConfig,
        shared: SharedParameters,
        play_states: Mapping[int, Tensor] | None = None,
        target: Callable[[TrainConfig, SharedParameters, int, Connection, Tensor], None] = run_actor_learner,
    ) -> None:
        self._context = context
        self._target = target
        self._config = config
        self._shared = shared
        self._play_states = dict(play_states or {})
        self._fruitless_deaths = [0] * config.actor_learners
        self.deaths = 0
        self.unfinished = 0  # that ``stop`` had to kill
        self.error = ""
        self._workers: dict[Connection, Worker] = {}

    def start(self) -> None:
        """Start all actor-learners."""
        for worker_id in range(self._config.actor_learners):
            self._start(worker_id)

    @property
    def alive(self) -> int:
        """How many actor-learners have not ended."""
        return len(self._workers)

    def process_ids(self) -> list[int]:
        """Return the process ids of the actor-learners."""
        return [worker.process.pid for worker in self._workers.values() if worker.process.pid]

    def _start(self, worker_id: int) -> None:
        reader, writer = Pipe(duplex=False)
        # Once: it may be what the worker died of. Shared, as a start is to send no more than a pipe holds: a
        # process that is killed before it has read it would hold up this one.
        play_state = self._play_states.pop(worker_id, torch.empty(0, dtype=torch.uint8)).share_memory_()
        name = f"actor-learner-{worker_id}"
        try:
            process = start_process(
                self._context, name, self._target, self._config, self._shared, worker_id, writer, play_state
            )
        except (EOFError, OSError) as error:
            reader.close()
            writer.close()
            self._count_death(worker_id, f"{name} could not be started: {error}", learned=False)
            self._start(worker_id)
            return
        # With our copy of the write end closed, the reader's end of file means the worker's death.
        writer.close()
        self._workers[reader] = Worker(worker_id, process, reader, Inbox(reader), int(self._shared.updates[worker_id]))

    def poll(self, timeout: float) -> list[WorkerReport]:
        """Wait up to ``timeout`` seconds for reports; replace the workers that died meanwhile.

        Raises:
            WorkersCannotRun: If one died three times in a row without an update, with its last words.
        """
        reports: list[WorkerReport] = []
        for ready in connection.wait(list(self._workers), timeout):
            assert isinstance(ready, Connection)
            worker = self._workers[ready]
            try:
                message = worker.inbox.receive()
            except (EOFError, OSError):
                self._end(worker)
                continue
            if isinstance(message, WorkerFailure):
                worker.traceback = message.traceback
            elif isinstance(message, WorkerReport):
                reports.append(message)
        return reports

    def _end(self, worker: Worker) -> None:
        """Take leave of a worker; unless it had finished or the run is stopping, replace it."""
        worker.pipe.close()
        del self._workers[worker.pipe]
        over = self._shared.stopped or self._shared.progress() >= 1
        if not over:
            worker.process.join(STOP_SECONDS)  # for its exit code
        worker.process.kill()  # it has closed its pipe, so that nothing more is to come from it
        if over or worker.process.exitcode == 0:
            return
        end = f"actor-learner {worker.worker_id} ended with exit code {worker.process.exitcode}"
        learned = int(self._shared.updates[worker.worker_id]) > worker.updates_at_start
        self._count_death(worker.worker_id, worker.traceback or end, learned)
        self._start(worker.worker_id)

    def _count_death(self, worker_id: int, error: str, learned: bool) -> None:
        """Take note of a death and its ``error``; raise WorkersCannotRun at the third in a row without an update."""
        self.deaths += 1
        self.error = error
        self._fruitless_deaths[worker_id] = 0 if learned else self._fruitless_deaths[worker_id] + 1
        if self._fruitless_deaths[worker_id] == MAX_FRUITLESS_DEATHS:
            raise WorkersCannotRun(
                f"{error}\nAn actor-learner died again and again: the training was stopped and saved."
            )

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> list[WorkerReport]:
        """Have all workers leave after their current rollout; kill those that do not.

        Args:
            hurry: Asked ten times a second; once it says true, nobody is waited for.

        Returns:
            Their last reports.
        """
        self._shared.stop()
        reports: list[WorkerReport] = []
        deadline = time.monotonic() + STOP_SECONDS
        while self._workers and time.monotonic() < deadline and not hurry():
            reports += self.poll(0.1)
        self.unfinished = len(self._workers)
        for worker in list(self._workers.values()):
            worker.process.kill()
            self._end(worker)
        return reports
