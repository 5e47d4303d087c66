"""A training by a call, from a script or a cell of a notebook."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from breakout_a3c.config import CHECKPOINTS, RUNS, TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.games.names import check_game
from breakout_a3c.processes.resources import usable_cores
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.saving.run_names import numbered_checkpoints, require_run_name, take_name
from breakout_a3c.training.contexts import training_context
from breakout_a3c.training.cores import fitted_to_cores
from breakout_a3c.training.device_choice import choose_device
from breakout_a3c.training.needs import require_resources
from breakout_a3c.training.plan import TrainingPlan, resumed_play_states
from breakout_a3c.training.status import TrainingStatus
from breakout_a3c.training.trainer import EXIT_FAILED, Trainer

NO_GUARD = 'put the call of train() below if __name__ == "__main__": each actor-learner imports the script, too.'


class TrainingFailed(RuntimeError):
    """A training that ended by an error, which it has printed; what was learned is saved where that was possible."""


def train(
    config: TrainConfig | None = None,
    *,
    run: str | None = None,
    resume: str | Path | None = None,
    on_status: Callable[[TrainingStatus], object] | None = None,
    checkpoints: Path = CHECKPOINTS,
    runs: Path = RUNS,
) -> Path | None:
    """Train until the end of the run, Ctrl-C, or a word of ``on_status``; all of them save.

    Args:
        config: The settings; None: those of the checkpoint to resume, or the default ones.
        run: Name of the run's folders; None: that of the game and the time, or of the checkpoint's run.
        resume: A checkpoint whose run goes on.
        on_status: Called about once a second and at the end, in this process; it stops the training by returning
            False.
        checkpoints: Folder of all runs' checkpoints.
        runs: Folder of all runs' curves.

    Returns:
        The last checkpoint, for ``load_agent``; None if it was stopped before anything was learned.

    Raises:
        UserError: If it cannot start: a setting, a folder, a checkpoint, too little memory.
        TrainingFailed: If it ends by an error. An exception of ``on_status`` is raised again, after saving.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as multiprocessing itself asks
        raise UserError(NO_GUARD)
    if threading.current_thread() is not threading.main_thread():
        raise UserError("only the main thread of a program hears Ctrl-C: call train() there.")
    plan = make_plan(config, run, None if resume is None else Path(resume), checkpoints, runs)
    require_resources(plan.config, resumed_play_states(plan).values())
    context = training_context(plan.config)
    plan = replace(plan, device=choose_device(plan.config, context))
    code = Trainer(plan, context, on_status).run()
    if code == EXIT_FAILED:
        raise TrainingFailed(f"the training {plan.run} failed: it printed why.")
    return next(iter(numbered_checkpoints(plan.checkpoints / plan.run)[::-1]), None)


def make_plan(
    config: TrainConfig | None, run: str | None, resume: Path | None, checkpoints: Path, runs: Path
) -> TrainingPlan:
    """Plan a new run, or one that goes on.

    Raises:
        UserError: If the game or the checkpoint is not there, or a name cannot be a run's.
    """
    if run is not None:
        require_run_name(run)
    if resume is not None:
        checkpoint = load_checkpoint(resume)
        return TrainingPlan(
            config or checkpoint.config, run or checkpoint.run, checkpoints, runs, resume=checkpoint, source=resume
        )
    config = config or fitted_to_cores(TrainConfig(), (), usable_cores())
    check_game(config.game.name)
    if run is not None and numbered_checkpoints(checkpoints / run):
        raise UserError(f"{checkpoints / run} has checkpoints: choose another run, or give one of them as resume.")
    prefix = f"{config.game.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    return TrainingPlan(config, run or take_name(prefix, checkpoints, runs), checkpoints, runs)
