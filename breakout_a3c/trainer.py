"""A training from its first process to its last checkpoint.

The trainer is the only writer of TensorBoard, console and checkpoints; it computes no gradient.
"""

import math
import signal
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil
import torch
from torch import Tensor

from breakout_a3c.checkpoints import Checkpoint, RunFolder, command_line, program_versions
from breakout_a3c.config import TrainConfig
from breakout_a3c.console import TrainingConsole, TrainingStatus
from breakout_a3c.environments import make_environment
from breakout_a3c.evaluator import Evaluation, Evaluator
from breakout_a3c.metrics import MetricsWriter, TrainingStatistics
from breakout_a3c.networks import resolve_precision
from breakout_a3c.processes import HANDLED_SIGNALS, Context
from breakout_a3c.rollout import make_network
from breakout_a3c.shared import SharedParameters
from breakout_a3c.supervisor import Supervisor, WorkersCannotRun

STATUS_SECONDS = 1.0
METRICS_SECONDS = 10.0
SPEED_WINDOW = 30  # statuses
SAVE_RETRY_MINUTES = 1.0
EXIT_CRASH = 1


class Clock:
    """Tells when a period has passed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.restart()

    def restart(self) -> None:
        """Begin the period anew."""
        self._began = time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds since the period began."""
        return time.monotonic() - self._began

    def due(self) -> bool:
        """Return whether the period has passed, and if so begin the next."""
        passed = self.elapsed() >= self._seconds
        if passed:
            self.restart()
        return passed

    def due_in(self, seconds: float) -> None:
        """Let the period pass in this many seconds."""
        self._began = time.monotonic() - self._seconds + seconds


class Speedometer:
    """Tells the speed over the last ``SPEED_WINDOW`` notes."""

    def __init__(self, shared: SharedParameters) -> None:
        self._shared = shared
        self._notes: deque[tuple[float, int, int]] = deque(maxlen=SPEED_WINDOW)
        self.note()

    def note(self) -> None:
        """Write down the counters of this moment."""
        self._notes.append((time.monotonic(), self._shared.total_steps(), self._shared.total_updates()))

    def rates(self) -> tuple[float, float]:
        """Return agent steps and updates per second since the oldest note."""
        began, steps, updates = self._notes[0]
        seconds = max(time.monotonic() - began, 1e-9)
        return (self._shared.total_steps() - steps) / seconds, (self._shared.total_updates() - updates) / seconds


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train, where to write, and what to start from.

    ``resume`` continues that run with its counters and curves; ``initial`` is a model whose weights
    start a new one.
    """

    config: TrainConfig
    run: str
    checkpoints: Path
    runs: Path
    resume: Checkpoint | None = None
    initial: Tensor | None = None  # (P,) float32


class Trainer:
    """Starts, supervises, reports, saves and stops one training."""

    def __init__(self, plan: TrainingPlan, context: Context) -> None:
        self._plan = plan
        self._config = plan.config
        self._folder = RunFolder(plan.checkpoints, plan.run)
        self._shared = initial_parameters(plan)
        self._console = TrainingConsole(plan.run)
        self._writer = MetricsWriter(plan.runs / plan.run, plan.config, self._shared.total_steps())
        resume = plan.resume
        self._statistics = TrainingStatistics()
        self._best_evaluation: float | None = None
        if resume is not None:
            self._statistics = TrainingStatistics(resume.games, resume.recent_returns, resume.recent_lengths)
            self._best_evaluation = resume.best_evaluation
        self._last_evaluation: float | None = None
        self._entropy = math.nan
        self._memory_mb = tree_memory_mb()
        self._deaths_told = 0
        self._signals: list[int] = []
        self._versions = program_versions()
        self._precision = str(resolve_precision(plan.config.precision)).removeprefix("torch.")
        self._saves = Clock(plan.config.checkpoint_minutes * 60)
        self._speed = Speedometer(self._shared)
        self._supervisor = Supervisor(context, plan.config, self._shared)
        self._evaluator = (
            Evaluator(context, plan.config, self._shared.parameters.numel()) if plan.config.eval_minutes else None
        )

    def run(self) -> int:
        """Train until a limit, a signal or a crash; save; return the exit code."""
        before = {number: signal.signal(number, self._on_signal) for number in HANDLED_SIGNALS}
        self._console.start()
        crash = ""
        try:
            self._supervisor.start()
            self._supervise()
        except WorkersCannotRun as error:
            crash = str(error)
        finally:
            self._finish()
            for number, handler in before.items():
                signal.signal(number, handler)
        if crash:
            self._console.say(f"{crash}\nAn actor-learner died again and again, so the training was stopped and saved.")
            return EXIT_CRASH
        return 128 + self._signals[0] if self._signals else 0

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _supervise(self) -> None:
        """Hear the workers and do what is due, until they have all finished or a signal comes."""
        status, metrics = Clock(STATUS_SECONDS), Clock(METRICS_SECONDS)
        evaluations = Clock(self._config.eval_minutes * 60)
        while self._supervisor.alive and not self._signals:
            for report in self._supervisor.poll(timeout=0.25):
                self._statistics.add(report)
            if metrics.due():
                self._write_metrics()
            if status.due():
                self._show_status()
            if self._saves.due():
                self._save()
            if self._evaluator:
                if evaluations.due():
                    self._evaluator.request(self._shared.parameters, self._shared.total_steps())
                if evaluation := self._evaluator.poll():
                    self._take_evaluation(evaluation)

    def _finish(self) -> None:
        """Stop every process and save what was learned, now that nobody writes to it."""
        if self._signals:
            self._console.say("Stopping: the last rollouts are finished, then everything is saved.")
        if self._evaluator:
            self._evaluator.close()
        reports = self._supervisor.stop(lambda: len(self._signals) > 1)
        for report in reports:
            self._statistics.add(report)
        self._write_metrics()
        self._show_status()
        path = self._save()
        self._console.stop()
        self._writer.close()
        self._folder.close()
        self._say_goodbye(path)

    def _say_goodbye(self, path: Path | None) -> None:
        """Tell where everything lies and what to type next."""
        steps, minutes = self._shared.total_steps(), self._shared.minutes()
        done = self._shared.progress() >= 1
        say = self._console.say
        say(
            f"{'Done' if done else 'Stopped'} after {steps:,} agent steps, {self._statistics.games:,} games and "
            f"{minutes:.1f} minutes; mean score of the last {len(self._statistics.recent_returns)} games: "
            f"{self._statistics.mean_return():.1f}."
        )
        if path is None:
            say("The last checkpoint could NOT be written: see the message above.")
            return
        say(f"saved:     {path}")
        say(f"see it:    python play.py {path} --render")
        say(f"measure:   python play.py {path} --episodes 100")
        say(f"curves:    tensorboard --logdir {self._plan.runs}")
        longer = f" --total-steps {2 * steps}" if done else ""
        say(f"go on:     python train.py --resume {path}{longer}")

    def _write_metrics(self) -> None:
        scalars = self._statistics.take_scalars()
        self._entropy = scalars.get("train/entropy", self._entropy)
        progress = self._shared.progress()
        self._memory_mb = tree_memory_mb()
        steps_per_second, updates_per_second = self._speed.rates()
        scalars |= {
            "train/learning_rate": self._config.learning_rate_at(progress),
            "train/entropy_coef": self._config.entropy_coef_at(progress),
            "time/fps": steps_per_second,
            "time/minutes": self._shared.minutes(),
            "time/memory_mb": self._memory_mb,
            "async/updates": self._shared.total_updates(),
            "async/updates_per_second": updates_per_second,
            "async/workers_alive": self._supervisor.alive,
            "async/workers_replaced": self._supervisor.deaths,
            "async/updates_not_finite": self._statistics.updates_not_finite,
            "async/reports_dropped": self._statistics.reports_dropped,
        }
        self._writer.write(scalars, self._shared.total_steps())

    def _show_status(self) -> None:
        self._speed.note()
        if self._supervisor.deaths > self._deaths_told:
            self._deaths_told = self._supervisor.deaths
            self._console.say(f"An actor-learner died and was replaced: {self._supervisor.last_death}")
        if self._evaluator and self._evaluator.error:
            self._console.say(f"The evaluator died; the next evaluation starts another: {self._evaluator.error}")
            self._evaluator.error = ""
        steps_per_second, _ = self._speed.rates()
        self._console.update(
            TrainingStatus(
                progress=self._shared.progress(),
                minutes=self._shared.minutes(),
                minutes_left=self._minutes_left(steps_per_second),
                steps=self._shared.total_steps(),
                steps_per_second=steps_per_second,
                frame_skip=self._config.frame_skip,
                games=self._statistics.games,
                mean_return=self._statistics.mean_return(),
                best_return=self._statistics.best_return,
                evaluation=self._last_evaluation,
                entropy=self._entropy,
                workers_alive=self._supervisor.alive,
                workers=self._config.threads,
                deaths=self._supervisor.deaths,
                updates_not_finite=self._statistics.updates_not_finite,
                memory_mb=self._memory_mb,
                minutes_since_checkpoint=self._saves.elapsed() / 60,
            )
        )

    def _minutes_left(self, steps_per_second: float) -> float:
        left = [math.nan]
        if self._config.total_steps and steps_per_second > 0:
            left.append((self._config.total_steps - self._shared.total_steps()) / steps_per_second / 60)
        if self._config.max_minutes:
            left.append(self._config.max_minutes - self._shared.minutes())
        return max(0.0, min(left[1:])) if len(left) > 1 else math.nan

    def _checkpoint(self, parameters: Tensor, steps: int) -> Checkpoint:
        return Checkpoint(
            config=self._config,
            run=self._plan.run,
            parameters=parameters.clone(),
            square_average=self._shared.square_average.clone(),
            steps=steps,
            updates=self._shared.total_updates(),
            games=self._statistics.games,
            minutes=self._shared.minutes(),
            best_evaluation=self._best_evaluation,
            recent_returns=list(self._statistics.recent_returns),
            recent_lengths=list(self._statistics.recent_lengths),
            precision=self._precision,
            command=command_line(),
            versions=self._versions,
        )

    def _save(self) -> Path | None:
        """Write a checkpoint; where that fails, say so and try again in a minute."""
        try:
            checkpoint = self._checkpoint(self._shared.parameters, self._shared.total_steps())
            path = self._folder.save(checkpoint, self._config.keep_checkpoints)
        except (OSError, ValueError) as error:
            self._console.say(f"The checkpoint was not written, and will be tried again in a minute: {error}")
            self._saves.due_in(SAVE_RETRY_MINUTES * 60)
            return None
        self._saves.restart()
        return path

    def _take_evaluation(self, evaluation: Evaluation) -> None:
        """Log an evaluation, and keep its snapshot if it is the best so far."""
        summary = evaluation.result.to_dict()
        mean = self._last_evaluation = float(summary["mean"])
        scalars = {
            "eval/mean_reward": mean,
            "eval/mean_ep_length": sum(summary["lengths"]) / len(summary["lengths"]),
            "eval/cpu_share": evaluation.cpu_share,
        }
        self._writer.write(scalars, evaluation.steps)
        if evaluation.animation:
            self._writer.write_animation("eval/game", evaluation.animation, evaluation.steps)
        if self._best_evaluation is None or mean > self._best_evaluation:
            self._best_evaluation = mean
            try:
                self._folder.save_best(self._checkpoint(evaluation.parameters, evaluation.steps))
            except (OSError, ValueError) as error:
                self._console.say(f"best.pt was not written: {error}")


def initial_parameters(plan: TrainingPlan) -> SharedParameters:
    """Return what the actor-learners share at the start: fresh, resumed, or from a model."""
    torch.manual_seed(plan.config.seed)
    environment = make_environment(plan.config)
    network = make_network(plan.config, environment)
    environment.close()
    shared = SharedParameters.of_network(network, plan.config)
    if plan.resume is not None:
        shared.restore(
            plan.resume.parameters,
            plan.resume.square_average,
            plan.resume.steps,
            plan.resume.updates,
            plan.resume.minutes,
        )
    elif plan.initial is not None:
        shared.parameters.copy_(plan.initial)
    return shared


def tree_memory_mb() -> float:
    """Return the memory of this process and all below it in MB, shared pages counted once (PSS)."""
    me = psutil.Process()
    total = 0
    for process in [me, *me.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except (psutil.Error, AttributeError):
            continue  # it has just ended
    return total / 2**20
