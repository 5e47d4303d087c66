"""A training from its first process to its last checkpoint.

The trainer is the only writer of TensorBoard, console and checkpoints; it computes no gradient.
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.learning.networks import resolve_precision
from breakout_a3c.learning.reports import LearnerReport
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.processes.start import Context, signals_collected, start_process
from breakout_a3c.saving.checkpoints import Checkpoint
from breakout_a3c.saving.contents import MAX_PLAY_BYTES
from breakout_a3c.saving.provenance import command_line, program_versions
from breakout_a3c.saving.run_folder import RunFolder
from breakout_a3c.saving.watched_run import Watched
from breakout_a3c.training.averaging import ParameterAverage
from breakout_a3c.training.clocks import Clock, Speedometer
from breakout_a3c.training.console import TrainingConsole
from breakout_a3c.training.evaluations import Evaluations
from breakout_a3c.training.evaluator import Evaluator
from breakout_a3c.training.messages import end_message, start_message
from breakout_a3c.training.metrics import MetricsWriter, measure_scalars, status_scalars
from breakout_a3c.training.plan import TrainingPlan, initial_parameters, resumed_play_states
from breakout_a3c.training.statistics import TrainingStatistics
from breakout_a3c.training.status import TrainingStatus
from breakout_a3c.training.supervisor import ActorLearnersCannotRun, Supervises, Supervisor
from breakout_a3c.training.weights_and_biases import mirror_to_wandb

Supervise = Callable[[Context, TrainConfig, SharedParameters, Mapping[int, Tensor]], Supervises]

AVERAGE_SECONDS = 0.5
STATUS_SECONDS = 1.0
METRICS_SECONDS = 2.0
MEMORY_SECONDS = 10.0  # reading it takes 10 ms a process
SAVE_RETRY_SECONDS = 60.0
EXIT_FAILED = 1
MAX_NOT_FINITE = 200  # updates, in reports in a row without a finite one
NOT_FINITE_ADVICE = (
    f"The last {MAX_NOT_FINITE} gradients or more were infinite or not a number: none of them was applied, and the "
    "training was stopped and saved. Go on from an older checkpoint with a smaller --learning-rate, --value-coef or "
    "--reward-scale."
)


class Trainer:
    """Starts, supervises, reports, saves and stops one training.

    Args:
        plan: What to do.
        context: Starts the processes.
        on_status: Called with each status while it trains; it stops the training by returning False.
        supervise: Makes what starts, watches and stops the actor-learners: on this machine, or on several.

    Raises:
        UserError: If a folder cannot be written, or weights do not fit the network.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        context: Context,
        on_status: Callable[[TrainingStatus], object] | None = None,
        supervise: Supervise = Supervisor,
    ) -> None:
        self._plan = plan
        self._context = context
        self._on_status = on_status
        self._config = plan.config
        resume = plan.resume
        self._shared = initial_parameters(plan)
        self._first_step = self._shared.total_steps()
        averaged = resume.averaged_parameters if resume else None
        self._average = ParameterAverage(self._shared, plan.config.optimizer.average_steps, averaged)
        self._folder = RunFolder(plan.checkpoints, plan.run)
        self._watched = Watched(self._folder.path, self._first_step)
        self._writer = self._open_curves()
        self._console = TrainingConsole(plan.run)
        self._statistics = TrainingStatistics()
        if resume is not None:
            self._statistics = TrainingStatistics(resume.recent_returns, resume.recent_lengths, resume.best_return)
        self._entropy = math.nan
        self._memory_mb = tree_memory_mb()
        self._signals: list[int] = []
        self._versions = program_versions() | ({"gpu": plan.device.gpu} if plan.device.gpu else {})
        precision = resolve_precision(plan.config.network.precision, plan.device.name)
        self._precision = str(precision).removeprefix("torch.")
        self._saved_at = time.monotonic()
        self._speed = Speedometer(self._shared)
        self._play_states: dict[int, bytes] = {}  # of the actor-learners that have finished
        config_of_learners = plan.config.replace(device=plan.device.name)
        self._supervisor = supervise(context, config_of_learners, self._shared, resumed_play_states(plan))
        self._evaluator = Evaluator(context, plan.config, self._shared.parameters.numel())
        self._evaluations = Evaluations(self._evaluator, self._folder, self._writer, self._console.say)

    def _open_curves(self) -> MetricsWriter:
        """Begin the curves, and write the settings; if that fails, no empty folder is left."""
        plan = self._plan
        curves = plan.runs / plan.run
        try:
            if plan.wandb:
                mirror_to_wandb(curves, plan.config, resumed=plan.resume is not None)
            writer = MetricsWriter(curves, plan.config, self._first_step)
            self._folder.save_config(plan.config)
        except BaseException:  # Ctrl-C, too, while Weights & Biases is waited for
            self._folder.abandon()
            with suppress(OSError):  # it was not made, or something is in it
                curves.rmdir()
            raise
        return writer

    def run(self) -> int:
        """Train until a limit, a signal or a crash; save; return the exit code."""
        with signals_collected() as self._signals:
            self._console.say(start_message(self._plan))
            self._console.start()
            crash = ""
            try:
                self._supervisor.start()
                self._serve()
                self._supervise()
            except ActorLearnersCannotRun as error:
                crash = str(error)
            finally:
                saved = self._finish()
        self._tell()
        if crash:
            self._console.say(crash)
        if crash or not saved:
            return EXIT_FAILED
        return 128 + self._signals[0] if self._signals and not self._done() else 0

    def _serve(self) -> None:
        """Show the training on a page, by a process that ends with this one."""
        if self._plan.address:
            from breakout_a3c.playing.following import serve_training  # imports werkzeug, which few trainings need

            start_process(self._context, "page", serve_training, self._folder.path, self._plan.address)

    def _done(self) -> bool:
        return self._shared.progress() >= 1

    def _supervise(self) -> None:
        """Receive reports and do what is due, until all have finished, a signal comes, or ``on_status`` says so."""
        upkeep = self._config.upkeep
        average, status = Clock(AVERAGE_SECONDS), Clock(STATUS_SECONDS)
        metrics, memory = Clock(METRICS_SECONDS), Clock(MEMORY_SECONDS)
        saves = Clock(upkeep.checkpoint_minutes * 60)
        evaluations = Clock(upkeep.eval_minutes * 60 or math.inf)
        while not self._supervisor.finished and not self._signals:
            self._receive_reports(self._supervisor.poll(timeout=0.25))
            if self._statistics.not_finite_in_a_row >= MAX_NOT_FINITE:
                raise ActorLearnersCannotRun(NOT_FINITE_ADVICE)
            if average.due():
                self._average.follow()
            if memory.due():
                self._memory_mb = tree_memory_mb()
            if metrics.due():
                self._write_metrics()
                self._watched.note(self._shared.total_steps(), self._statistics.mean_return())
            if status.due():
                self._show_status()
                self._answer_watchers()
                if self._tell() is False:
                    return
            if saves.due() and self._save() is None:
                saves.due_in(SAVE_RETRY_SECONDS)
            if not self._evaluator.busy and evaluations.due():
                self._evaluations.request(self._checkpoint())
            self._evaluations.take()

    def _tell(self) -> object:
        """Tell ``on_status`` how it goes; return what it says."""
        return self._on_status(self._status()) if self._on_status is not None else None

    def _answer_watchers(self) -> None:
        """Give the newest parameters to those who ask; where that fails, they have older ones."""
        if self._watched.is_wanted():
            with suppress(OSError, ValueError):
                self._watched.give(self._checkpoint())

    def _receive_reports(self, reports: list[LearnerReport]) -> None:
        for report in reports:
            self._statistics.add(report)
            if report.play_state:
                self._play_states[report.learner_id] = report.play_state

    def _finish(self) -> bool:
        """Stop every process and save what was learned; return whether that is on the disk."""
        if self._signals:
            self._console.say("Stopping: the last rollouts are finished, then everything is saved.")
            self._evaluator.request_stop()
        self._receive_reports(self._supervisor.stop(hurry=lambda: len(self._signals) > 1))
        learned = self._shared.total_steps() > self._first_step
        if learned and self._supervisor.unfinished:
            self._console.say(
                f"{self._supervisor.unfinished} of {self._supervisor.count} actor-learners did not finish their "
                f"rollouts in time: their games are lost, and --resume begins new ones."
            )
        path = self._save() if learned else None
        self._supervisor.close()
        self._write_metrics()
        self._show_status()
        status = self._status()
        if path and self._done() and self._config.upkeep.eval_minutes and not self._signals:
            self._evaluations.evaluate_last(self._checkpoint(), interrupted=lambda: self._signals)
        self._evaluator.close()
        self._console.stop()
        self._writer.close()
        self._watched.close()
        self._folder.close()
        if not learned:
            self._console.say("Stopped before anything was learned: nothing was saved.")
        elif path:
            best = self._evaluations.best_mean
            self._console.say(end_message(self._plan, status, path, self._folder.best_path, best))
        return path is not None or not learned

    def _write_metrics(self) -> None:
        measures = self._statistics.take_measures()
        if measures.entropy is not None:
            self._entropy = measures.entropy
        status = self._status()
        scalars = measure_scalars(measures) | status_scalars(status)
        self._writer.write(scalars, status.steps, self._statistics.take_games())

    def _show_status(self) -> None:
        self._report_errors()
        self._speed.note()
        self._console.update(self._status())

    def _status(self) -> TrainingStatus:
        """Return what console and curves show, as it is now."""
        shared, schedule, statistics = self._shared, self._config.schedule, self._statistics
        steps, updates, games = shared.total_steps(), shared.total_updates(), shared.total_games()
        minutes = shared.minutes()
        steps_per_second, updates_per_second = self._speed.rates()
        progress = schedule.progress(steps, minutes, games)
        return TrainingStatus(
            progress=progress,
            minutes=minutes,
            minutes_left=schedule.minutes_left(steps, minutes, games, steps_per_second),
            steps=steps,
            updates=updates,
            games=games,
            steps_per_second=steps_per_second,
            updates_per_second=updates_per_second,
            frame_skip=self._config.game.frame_skip,
            learning_rate=self._config.optimizer.learning_rate_at(progress, updates),
            entropy_coef=self._config.loss.entropy_coef_at(schedule.annealed(progress)),
            recent_games=len(statistics.recent_returns),
            mean_return=statistics.mean_return(),
            mean_sticky_return=statistics.mean_sticky_return(),
            mean_length=statistics.mean_length(),
            best_return=statistics.best_return,
            mean_returns_of_learners=statistics.mean_returns_of_learners(),
            truncated_games=statistics.truncated_games,
            evaluation=self._evaluations.last_mean,
            entropy=self._entropy,
            learners=self._supervisor.count,
            learners_alive=self._supervisor.alive,
            learners_replaced=self._supervisor.deaths,
            updates_not_finite=statistics.updates_not_finite,
            reports_dropped=statistics.reports_dropped,
            memory_mb=self._memory_mb,
            minutes_since_checkpoint=(time.monotonic() - self._saved_at) / 60,
            machines=self._supervisor.machines(),
        )

    def _report_errors(self) -> None:
        """Say once what went wrong since the last time, and what is done about it."""
        errors: dict[Supervises | Evaluator | MetricsWriter | RunFolder, str] = {
            self._supervisor: self._supervisor.consequence,
            self._evaluator: "The evaluator died, and the next evaluation starts another",
            self._writer: "The curves could not be written, which is tried again",
            self._folder: "The training goes on, and saves its checkpoints",
        }
        for source, consequence in errors.items():
            if source.error:
                self._console.say(f"{consequence}: {source.error}")
                source.error = ""

    def _checkpoint(self) -> Checkpoint:
        """Return a copy of everything that is saved, as it is now."""
        return Checkpoint(
            config=self._config,
            run=self._plan.run,
            parameters=self._shared.parameters.clone(),
            averaged_parameters=self._average.follow().parameters.clone(),
            square_average=self._shared.optimizer.square_average.clone(),
            gradient_average=self._shared.optimizer.gradient_average.clone(),
            steps=self._shared.total_steps(),
            updates=self._shared.total_updates(),
            games=self._shared.total_games(),
            minutes=self._shared.minutes(),
            best_evaluation=self._evaluations.best_mean,
            recent_returns=list(self._statistics.recent_returns),
            recent_lengths=list(self._statistics.recent_lengths),
            best_return=self._statistics.best_return,
            play_states=self._saved_play_states(),
            precision=self._precision,
            command=command_line(),
            versions=self._versions,
        )

    def _saved_play_states(self) -> list[Tensor]:
        """Return the state of the games of each actor-learner, empty for one that has not finished."""
        if sum(map(len, self._play_states.values())) > MAX_PLAY_BYTES:
            return []
        states = (self._play_states.get(learner_id, b"") for learner_id in range(self._supervisor.count))
        return [torch.from_numpy(np.frombuffer(state, np.uint8).copy()) for state in states]

    def _save(self) -> Path | None:
        """Write a checkpoint and return its path; if that fails, say so and return None."""
        try:
            path = self._folder.save(self._checkpoint(), self._config.upkeep.keep_checkpoints)
        except (OSError, ValueError) as error:
            self._console.say(f"The checkpoint was NOT written: {error}")
            return None
        self._saved_at = time.monotonic()
        return path


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
