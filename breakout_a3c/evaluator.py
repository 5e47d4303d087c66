"""The process that plays full games with a snapshot while training goes on."""

import itertools
import os
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.drawing import Scene
from breakout_a3c.environments import make_environment
from breakout_a3c.errors import UserError
from breakout_a3c.evaluation import MAX_SEED, EvaluationResult, Protocol, evaluate
from breakout_a3c.networks import ActorCritic, resolve_precision
from breakout_a3c.playing import Player
from breakout_a3c.processes import Context, start_process
from breakout_a3c.recording import record
from breakout_a3c.rollout import make_network
from breakout_a3c.shared import LocalParameters

CPU_SHARE = 0.05  # of all cores, over the process's life
NICENESS = 5
ANIMATION_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the evaluator found out about one snapshot."""

    steps: int
    parameters: Tensor  # (P,) float32, a copy of the snapshot
    result: EvaluationResult
    animation: bytes  # a GIF of the first game; empty where ffmpeg failed
    cpu_share: float  # of all cores, since the evaluator started


class Throttle:
    """Sleeps so that this process takes no more than its share of the CPU."""

    def __init__(self, share: float) -> None:
        self._rate = share * (os.cpu_count() or 1)
        self._began = time.monotonic()

    def used_share(self) -> float:
        """Return the share of all cores taken so far."""
        return self._cpu_seconds() / (time.monotonic() - self._began) / (os.cpu_count() or 1)

    def wait(self) -> None:
        """Sleep for as long as the time used is ahead of the time allowed."""
        due = self._cpu_seconds() / self._rate - (time.monotonic() - self._began)
        if due > 0:
            time.sleep(due)

    def slow_down(self, scenes: Iterable[Scene]) -> Iterator[Scene]:
        """Yield ``scenes`` no faster than the share allows."""
        for scene in scenes:
            self.wait()
            yield scene

    @staticmethod
    def _cpu_seconds() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system


def run_evaluator(config: TrainConfig, snapshot: Tensor, pipe: Connection) -> None:
    """Wait for a step count, evaluate the snapshot that belongs to it, send the Evaluation; again.

    Args:
        config: The run's settings.
        snapshot: ``(P,)`` float32 in shared memory; the trainer leaves it alone while this works.
        pipe: To and from the trainer.
    """
    os.nice(NICENESS)
    os.environ["SDL_VIDEODRIVER"] = "dummy"  # CartPole draws with pygame, which would look for a display
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
            result = evaluate(network, config, protocol, lambda finished: throttle.wait())
            animation = animate(network, config, protocol, throttle)
            pipe.send(Evaluation(steps, snapshot.clone(), result, animation, throttle.used_share()))
    except (EOFError, BrokenPipeError):
        pass  # the trainer has left
    except Exception:
        pipe.send(traceback.format_exc())
        raise


def animate(network: ActorCritic, config: TrainConfig, protocol: Protocol, throttle: Throttle) -> bytes:
    """Return the beginning of the protocol's first game as a GIF, or nothing where ffmpeg fails."""
    player = Player(network, config, protocol)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "game.gif"
        scenes = itertools.islice(player.play(0), ANIMATION_SECONDS * player.frames_per_second)
        try:
            record(throttle.slow_down(scenes), path, player.frames_per_second)
        except UserError:
            return b""
        return path.read_bytes()


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
        self._process: BaseProcess | None = None
        self._busy = False
        self.error = ""

    def request(self, parameters: Tensor, steps: int) -> None:
        """Have a copy of ``parameters`` evaluated; nothing happens while another one is."""
        if self._busy:
            return
        if self._process is None:
            self._start()
        self._snapshot.copy_(parameters)
        self._pipe.send(steps)
        self._busy = True

    def _start(self) -> None:
        self._pipe, theirs = Pipe()
        self._process = start_process(self._context, "evaluator", run_evaluator, self._config, self._snapshot, theirs)
        theirs.close()

    def poll(self) -> Evaluation | None:
        """Return a finished evaluation; if the process died instead, ``error`` says of what."""
        if not self._busy:
            return None
        try:
            if not self._pipe.poll():
                return None
            message = self._pipe.recv()
        except (EOFError, OSError):
            message = "it was killed"
        if isinstance(message, Evaluation):
            self._busy = False
            return message
        self.error = str(message)
        self.close()  # the next request starts another
        return None

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
            self._pipe.close()
        self._busy = False
