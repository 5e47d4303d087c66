"""Starts the actor-learners, receives their reports, replaces those that die, and stops them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe, connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.learning.actor_learner import run_actor_learner
from breakout_a3c.learning.reports import LearnerFailure, LearnerReport
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.processes.ends import Ends
from breakout_a3c.processes.pipes import Inbox
from breakout_a3c.processes.start import Context, start_process
from breakout_a3c.training.needs import LESS_MEMORY
from breakout_a3c.training.status import MachineStatus

MAX_DEATHS_WITHOUT_UPDATE = 3
# With the default settings a rollout takes 0.2 s on a fast core, 0.4 s on a slow one.
STOP_SECONDS = 3.0


class ActorLearnersCannotRun(Exception):
    """Nothing more will be learned; the message says why."""


@dataclass(slots=True)
class LearnerProcess:
    """One actor-learner process, with what is known of its end."""

    learner_id: int
    process: BaseProcess
    pipe: Connection
    inbox: Inbox  # of the pipe
    updates_at_start: int
    traceback: str = ""


class Supervises(Protocol):
    """What starts, watches and stops actor-learners, as the trainer needs it."""

    error: str  # of the last death; the trainer empties it when it has said so
    consequence: str  # what follows from it
    unfinished: int  # that ``stop`` had to kill

    @property
    def alive(self) -> int:
        """The number of actor-learners that have not ended."""

    @property
    def deaths(self) -> int:
        """How many actor-learners were lost."""

    @property
    def count(self) -> int:
        """The number of actor-learners that there should be."""

    @property
    def finished(self) -> bool:
        """Whether nothing more is to come."""

    def start(self) -> None:
        """Start all actor-learners."""

    def poll(self, timeout: float) -> list[LearnerReport]:
        """Wait up to ``timeout`` seconds for reports; replace what died meanwhile."""

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> list[LearnerReport]:
        """Let all finish; return their last reports."""

    def machines(self) -> Sequence[MachineStatus]:
        """Return how each machine of a cluster does."""

    def close(self) -> None:
        """Give back what it used, when all is saved."""


class Supervisor:
    """The actor-learner processes.

    Args:
        context: Starts them.
        config: The run's settings, with their number.
        shared: What they update; it outlives each of them.
        play_states: Of the actor-learners that go on with their games, ``(bytes,)`` uint8 each.
        target: The function that a process runs.
    """

    consequence = "An actor-learner died and was replaced"

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
        self._ends = Ends()
        self._deaths_without_update = [0] * config.learners.count
        self.deaths = 0
        self.unfinished = 0  # that ``stop`` had to kill
        self.error = ""
        self._learners: dict[Connection, LearnerProcess] = {}

    def start(self) -> None:
        """Start all actor-learners."""
        for learner_id in range(self._config.learners.count):
            self._start(learner_id)

    @property
    def alive(self) -> int:
        """The number of actor-learners that have not ended."""
        return len(self._learners)

    @property
    def finished(self) -> bool:
        """Whether all of them have ended."""
        return not self._learners

    @property
    def count(self) -> int:
        """The number of actor-learners that there should be."""
        return self._config.learners.count

    def machines(self) -> Sequence[MachineStatus]:
        """Return how each machine of a cluster does: of none, as all is on this one."""
        return ()

    def close(self) -> None:
        """Do nothing: the processes have ended."""

    def process_ids(self) -> list[int]:
        """Return the process ids of the actor-learners."""
        return [learner.process.pid for learner in self._learners.values() if learner.process.pid]

    def _start(self, learner_id: int) -> None:
        reader, writer = Pipe(duplex=False)
        # Only once: the actor-learner may have died of it. In shared memory, so that a start sends no more than a pipe
        # holds: otherwise a process that is killed before it has read all of it would block this one.
        play_state = self._play_states.pop(learner_id, torch.empty(0, dtype=torch.uint8)).share_memory_()
        name = f"actor-learner-{learner_id}"
        try:
            process = start_process(
                self._context, name, self._target, self._config, self._shared, learner_id, writer, play_state
            )
        except (EOFError, OSError) as error:
            reader.close()
            writer.close()
            self._count_death(learner_id, f"{name} could not be started: {error}", learned=False)
            self._start(learner_id)
            return
        # With our copy of the write end closed, the reader's end of file means the actor-learner's death.
        writer.close()
        self._learners[reader] = LearnerProcess(
            learner_id, process, reader, Inbox(reader), int(self._shared.updates[learner_id])
        )

    def poll(self, timeout: float) -> list[LearnerReport]:
        """Wait up to ``timeout`` seconds for reports; replace the actor-learners that died meanwhile.

        Raises:
            ActorLearnersCannotRun: If one died three times in a row without an update, with its traceback.
        """
        reports: list[LearnerReport] = []
        for ready in connection.wait(list(self._learners), timeout):
            assert isinstance(ready, Connection)
            learner = self._learners[ready]
            try:
                message = learner.inbox.receive()
            except (EOFError, OSError):
                self._end(learner)
                continue
            if isinstance(message, LearnerFailure):
                learner.traceback = message.traceback
            elif isinstance(message, LearnerReport):
                reports.append(message)
        return reports

    def _end(self, learner: LearnerProcess) -> None:
        """Remove an actor-learner; replace it unless it had finished or the run is stopping."""
        learner.pipe.close()
        del self._learners[learner.pipe]
        over = self._shared.stopped or self._shared.progress() >= 1
        if not over:
            learner.process.join(STOP_SECONDS)  # for its exit code
        exit_code = learner.process.exitcode
        learner.process.kill()  # it has closed its pipe, so that nothing more is to come from it
        if over or exit_code == 0:
            return
        end = f"actor-learner {learner.learner_id} {self._ends.describe(exit_code, LESS_MEMORY)}"
        learned = int(self._shared.updates[learner.learner_id]) > learner.updates_at_start
        self._count_death(learner.learner_id, learner.traceback or end, learned)
        self._start(learner.learner_id)

    def _count_death(self, learner_id: int, error: str, learned: bool) -> None:
        """Count a death and its ``error``; raise ActorLearnersCannotRun at the third in a row without an update."""
        self.deaths += 1
        self.error = error
        self._deaths_without_update[learner_id] = 0 if learned else self._deaths_without_update[learner_id] + 1
        if self._deaths_without_update[learner_id] == MAX_DEATHS_WITHOUT_UPDATE:
            raise ActorLearnersCannotRun(
                f"{error}\nAn actor-learner died again and again: the training was stopped and saved."
            )

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> list[LearnerReport]:
        """Let all actor-learners finish their current rollout and leave; kill those that do not.

        Args:
            hurry: Asked ten times a second; once it returns true, no actor-learner is waited for.

        Returns:
            Their last reports.
        """
        self._shared.stop()
        reports: list[LearnerReport] = []
        deadline = time.monotonic() + STOP_SECONDS
        while self._learners and time.monotonic() < deadline and not hurry():
            reports += self.poll(0.1)
        self.unfinished = len(self._learners)
        for learner in list(self._learners.values()):
            learner.process.kill()
            self._end(learner)
        return reports
