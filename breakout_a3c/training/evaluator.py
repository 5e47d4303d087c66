"""The process that plays full games with a snapshot while training goes on."""

import itertools
import math
import os
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from torch import Tensor

from breakout_a3c.config import PROTOCOL_SEEDS, GameOptions, TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic, make_network, resolve_precision
from breakout_a3c.playing.evaluation import EvaluationResult, Protocol, evaluate
from breakout_a3c.playing.player import Player
from breakout_a3c.playing.recording import record
from breakout_a3c.playing.scene import Scene
from breakout_a3c.processes.ends import Ends
from breakout_a3c.processes.pipes import Inbox, send_in_parts
from breakout_a3c.processes.resources import usable_cpus
from breakout_a3c.processes.start import Context, start_process
from breakout_a3c.training.needs import LESS_MEMORY

CPU_FRACTION = 0.05  # of the CPU that a training may use, over the process's life
NICENESS = 5
ANIMATION_SECONDS = 15
CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a snapshot played."""

    result: EvaluationResult
    animation: bytes  # a GIF of the first game; empty where ffmpeg or the disk failed
    cpu_fraction: float  # of what a training may use, since the evaluator started


class Throttle:
    """Sleeps so that this process takes no more than a fraction of the CPU that it may use.

    Args:
        fraction: Of the CPU that this process may use, from now on.
        pipe: Watched meanwhile.

    Raises:
        EOFError: From each wait, once the other end of ``pipe`` is closed.
    """

    def __init__(self, fraction: float, pipe: Connection) -> None:
        self.off = False
        self._pipe = pipe
        self._cpus = usable_cpus()
        self._rate = fraction * self._cpus
        self._began = time.monotonic()
        self._used_before = self._cpu_seconds()

    def used_fraction(self) -> float:
        """Return the fraction of that CPU taken so far."""
        used = self._cpu_seconds() - self._used_before
        return used / (time.monotonic() - self._began) / self._cpus

    def wait(self) -> None:
        """Sleep for as long as the time used is ahead of the time allowed."""
        used = self._cpu_seconds() - self._used_before
        due = 0.0 if self.off else used / self._rate - (time.monotonic() - self._began)
        if self._pipe.poll(max(0.0, due)):
            self._pipe.recv()  # nothing is sent meanwhile: this is the end of the pipe

    def slow_down(self, scenes: Iterable[Scene]) -> Iterator[Scene]:
        """Yield ``scenes`` no faster than the CPU's fraction allows."""
        for scene in scenes:
            self.wait()
            yield scene

    @staticmethod
    def _cpu_seconds() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system


def run_evaluator(config: TrainConfig, snapshot: Tensor, pipe: Connection) -> None:
    """Receive from the trainer whether to hurry, evaluate the snapshot, send the Evaluation; again and again.

    Args:
        config: The run's settings.
        snapshot: ``(P,)`` float32 in shared memory; the trainer leaves it alone while this works.
        pipe: To and from the trainer, which closes it to end this process.
    """
    os.nice(NICENESS)
    os.environ["SDL_VIDEODRIVER"] = "dummy"  # CartPole draws with pygame, which would look for a display
    try:
        throttle = Throttle(CPU_FRACTION, pipe)
        environment = make_environment(config.game)
        network = make_network(config.network, environment)
        environment.close()
        local = LocalParameters(network, resolve_precision(config.network.precision))
        protocol = Protocol.trained_for(config.game, episodes=config.upkeep.eval_episodes, seed=PROTOCOL_SEEDS)
        while True:
            throttle.off = pipe.recv()
            local.pull(snapshot)
            result = evaluate(network, config.game, protocol, throttle.wait)
            animation = animate(network, config.game, protocol, throttle)
            send_in_parts(pipe, Evaluation(result, animation, throttle.used_fraction()))
    except (EOFError, ConnectionError):
        pass  # the trainer has closed the pipe, or is gone
    except Exception:
        with suppress(ConnectionError):
            send_in_parts(pipe, traceback.format_exc())


def animate(network: ActorCritic, game: GameOptions, protocol: Protocol, throttle: Throttle) -> bytes:
    """Return the beginning of the protocol's first game as a GIF, or nothing where ffmpeg or the disk fails."""
    player = Player(network, game, protocol)
    scenes = itertools.islice(player.play(0), ANIMATION_SECONDS * player.frames_per_second)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "game.gif"
            record(throttle.slow_down(scenes), path, player.frames_per_second)
            return path.read_bytes()
    except ConnectionError:
        raise
    except (UserError, OSError):
        return b""


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
        self._stop_requested_at = math.inf
        self._ends = Ends()
        self.busy = False
        self.error = ""

    def request(self, parameters: Tensor, hurry: bool) -> bool:
        """Have a copy of ``parameters`` ``(P,)`` evaluated; return whether that begins: only one runs at a time.

        Args:
            parameters: The snapshot.
            hurry: Whether to use all the CPU that it can get.
        """
        if self.busy:
            return False
        if self._process is None or not self._process.is_alive():
            self.close()
            if not self._start():
                return False
        self._snapshot.copy_(parameters)
        try:
            self._pipe.send(hurry)
        except OSError:
            self._forget(self._end())
            return False
        self.busy = True
        return True

    def _start(self) -> bool:
        """Start the process; return whether that worked. If not, ``error`` says why."""
        ours, theirs = Pipe()
        try:
            process = start_process(self._context, "evaluator", run_evaluator, self._config, self._snapshot, theirs)
        except (EOFError, OSError) as error:
            self.error = f"it could not be started: {error}"
            ours.close()
            return False
        finally:
            theirs.close()
        self._process, self._pipe, self._inbox = process, ours, Inbox(ours)
        return True

    def poll(self) -> Evaluation | None:
        """Return a finished evaluation; if the process died instead, ``error`` says why."""
        if not self.busy:
            return None
        try:
            message = self._inbox.receive()
        except (EOFError, OSError):
            message = self._end()
        if message is None:
            return None
        if isinstance(message, Evaluation):
            self.busy = False
            return message
        self._forget(str(message))
        return None

    def _end(self) -> str:
        """Return how the process ended whose pipe has."""
        assert self._process is not None
        self._process.join(CLOSE_SECONDS)  # for its exit code
        return f"it {self._ends.describe(self._process.exitcode, LESS_MEMORY)}"

    def _forget(self, error: str) -> None:
        """Remove a process that died of ``error``; the next request starts another."""
        self.error = error
        self.close()

    def request_stop(self) -> None:
        """Close the pipe: the process stops at its next step and clears up, and nothing more is received from it."""
        if self._process is not None:
            self._pipe.close()
            self._stop_requested_at = min(self._stop_requested_at, time.monotonic())
        self.busy = False

    def close(self) -> None:
        """End the process, by force if it still runs CLOSE_SECONDS after the request to stop."""
        self.request_stop()
        if self._process is not None:
            self._process.join(max(0.0, self._stop_requested_at + CLOSE_SECONDS - time.monotonic()))
            self._process.kill()
            self._process.join()
            self._process, self._stop_requested_at = None, math.inf
