"""The process that plays full games with a snapshot while training goes on."""

import os
import time
import traceback
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.environments import make_environment
from breakout_a3c.evaluation import MAX_SEED, EvaluationResult, Protocol, evaluate
from breakout_a3c.networks import resolve_precision
from breakout_a3c.processes import Context, start_process
from breakout_a3c.rollout import FinishedGame, make_network
from breakout_a3c.shared import LocalParameters

CPU_SHARE = 0.05  # of all cores, over the process's life
NICENESS = 5


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the evaluator found out about one snapshot."""

    steps: int
    parameters: Tensor  # (P,) float32, a copy of the snapshot
    result: EvaluationResult
    animation: bytes  # a GIF of the first game
    cpu_share: float  # of all cores, since the evaluator started


class Throttle:
    """Sleeps so that this process takes no more than its share of the CPU."""

    def __init__(self, share: float) -> None:
        self._rate = share * (os.cpu_count() or 1)
        self._began = time.monotonic()

    def used_share(self) -> float:
        """Return the share of all cores taken so far."""
        return time.process_time() / (time.monotonic() - self._began) / (os.cpu_count() or 1)

    def wait(self, finished: list[FinishedGame]) -> None:
        """Sleep for as long as the time used is ahead of the time allowed."""
        due = time.process_time() / self._rate - (time.monotonic() - self._began)
        if due > 0:
            time.sleep(due)


def run_evaluator(config: TrainConfig, snapshot: Tensor, pipe: Connection) -> None:
    """Wait for a step count, evaluate the snapshot that belongs to it, send the Evaluation; again.

    Args:
        config: The run's settings.
        snapshot: ``(P,)`` float32 in shared memory; the trainer leaves it alone while this works.
        pipe: To and from the trainer.
    """
    os.nice(NICENESS)
    throttle = Throttle(CPU_SHARE)
    environment = make_environment(config)
    network = make_network(config, environment)
    environment.close()
    local = LocalParameters(network, resolve_precision(config.precision))
    protocol = Protocol(episodes=config.eval_episodes, seed=MAX_SEED)
    try:
        while True:
            steps: int = pipe.recv()
            local.pull(snapshot)
            result = evaluate(network, config, protocol, throttle.wait)
            pipe.send(Evaluation(steps, snapshot.clone(), result, b"", throttle.used_share()))
    except (EOFError, BrokenPipeError):
        pass  # the trainer has left
    except Exception:
        pipe.send(traceback.format_exc())
        raise


class Evaluator:
    """The trainer's side: at most one snapshot is under evaluation.

    Args:
        context: Starts the process.
        config: The run's settings.
        size: Number of parameters.
    """

    def __init__(self, context: Context, config: TrainConfig, size: int) -> None:
        self._context = context
        self._config = config
        self._snapshot = torch.zeros(size).share_memory_()
        self.error = ""
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = Pipe()
        self._process = start_process(self._context, "evaluator", run_evaluator, self._config, self._snapshot, theirs)
        theirs.close()
        self.busy = False

    def request(self, parameters: Tensor, steps: int) -> None:
        """Have a copy of ``parameters`` evaluated; nothing happens while another one is."""
        if not self.busy:
            self._snapshot.copy_(parameters)
            self._pipe.send(steps)
            self.busy = True

    def poll(self) -> Evaluation | None:
        """Return a finished evaluation; a dead evaluator is replaced, its error kept in ``error``."""
        try:
            if not self._pipe.poll():
                return None
            message = self._pipe.recv()
        except (EOFError, OSError):
            self.close()
            self._start()
            return None
        if isinstance(message, Evaluation):
            self.busy = False
            return message
        self.error = str(message)
        return None

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
