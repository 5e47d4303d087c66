"""The first and the last message of a training: its length, its folders, and the next commands."""

import math
import os
import shlex
import signal
from pathlib import Path

from breakout_a3c.called import called
from breakout_a3c.config import CHECKPOINTS, RUNS, TrainConfig, option_name
from breakout_a3c.extensions import import_options
from breakout_a3c.training.plan import TrainingPlan
from breakout_a3c.training.status import TrainingStatus

LEAP = 0.02  # of a value, as a fraction of it: smaller ones need no word


def start_message(plan: TrainingPlan) -> str:
    """Say what is about to happen, how long it takes, and how to stop it."""
    config = plan.config
    limits = [f"{config.schedule.total_steps:,} agent steps" if config.schedule.total_steps else ""]
    limits.append(f"{config.schedule.max_minutes:g} minutes" if config.schedule.max_minutes else "")
    limits.append(f"{config.schedule.max_episodes:,} games" if config.schedule.max_episodes else "")
    length = " or ".join(filter(None, limits)) or "no limit"
    learners = "one learner" if config.learners.count == 1 else f"{config.learners.count} actor-learners"
    who = f"{config.learners.algorithm.upper()} with {learners} x {config.learners.envs} games"
    where = f"{plan.device.message}\n" if plan.device.message else ""
    return (
        f"Training {config.game.name} by {who}.\n"
        f"{where}"
        f"{going_on(plan)}"
        f"Length: {length}. {way_to_stop()} stops and saves.\n"
        f"A checkpoint every {config.upkeep.checkpoint_minutes:g} minutes: {plan.checkpoints / plan.run}\n"
        f"Curves: {tensorboard(plan.runs)}"
        f"{watching(plan)}"
        f"{spreading(plan)}"
    )


def watching(plan: TrainingPlan) -> str:
    """Say where its games are shown; nothing where they are not."""
    return f"\nIts games: {plan.address.url}" if plan.address else ""


def spreading(plan: TrainingPlan) -> str:
    """Say how it is spread over machines; nothing where it is not."""
    return f"\nSo many on each machine of the cluster ({plan.cluster})." if plan.cluster else ""


def way_to_stop() -> str:
    """Return what stops the training; in the background of a script, shells make programs ignore Ctrl-C."""
    return f"kill {os.getpid()}" if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else "Ctrl-C"


def going_on(plan: TrainingPlan) -> str:
    """Say which run goes on, and which settings of its schedules leap; nothing of a new run."""
    resume = plan.resume
    if resume is None:
        return ""
    done = (resume.steps, resume.minutes, resume.games)
    before, now = (
        schedules(config, config.schedule.progress(*done), resume.updates) for config in (resume.config, plan.config)
    )
    leaps = [
        f"{name} goes from {before[name]:.3g} to {now[name]:.3g}"
        for name in before
        if not math.isclose(before[name], now[name], rel_tol=LEAP)
    ]
    message = f"It goes on with the run {plan.run} after {resume.steps:,} agent steps.\n"
    if leaps:
        message += f"By its new settings {', '.join(leaps)}: the score may fall at first.\n"
    return message


def schedules(config: TrainConfig, progress: float, updates: int) -> dict[str, float]:
    """Return the values that the schedules give at a moment of a run."""
    annealed = config.schedule.annealed(progress)
    return {
        "the learning rate": config.optimizer.learning_rate_at(progress, updates),
        "the entropy coefficient": config.loss.entropy_coef_at(annealed),
        "the rollout length": config.returns.rollout_length_at(annealed),
    }


def end_message(
    plan: TrainingPlan, status: TrainingStatus, saved: Path, best: Path, best_evaluation: float | None
) -> str:
    """Say how the training ended, where everything lies, and which commands come next.

    Args:
        plan: Of the training.
        status: How the training ended.
        saved: Its last checkpoint.
        best: The checkpoint of the best evaluation.
        best_evaluation: Its mean score, None without any evaluation.
    """
    ended = (
        f"{'Done' if status.progress >= 1 else 'Stopped'} after {status.steps:,} agent steps, {status.games:,} games "
        f"and {status.minutes:.1f} minutes"
    )
    if status.recent_games:
        ended += f"; mean score of the last {status.recent_games} games: {status.mean_return:.1f}"
    if math.isfinite(status.mean_sticky_return):
        ended += f"; with sticky actions, mean score {status.mean_sticky_return:.1f}"
    lines = [f"{ended}.", f"saved:     {saved}"]
    if best_evaluation is not None:
        lines.append(f"best:      {best}, mean score {best_evaluation:.1f} in its evaluation")
    lines += [
        f"see it:    {called('play')} {quote(saved)}{import_options()} --render",
        f"measure:   {called('play')} {quote(saved)}{import_options()} --episodes 100",
        f"curves:    {tensorboard(plan.runs)}",
        f"picture:   {called('curves')} {quote(plan.runs / plan.run)}",
        f"go on:     {resume_command(plan, status, saved)}",
    ]
    if later_limits(plan, status):
        rate = plan.config.optimizer.learning_rate_at(later_progress(plan, status), status.updates)
        if rate > status.learning_rate:
            lines.append(
                f"           lifts the learning rate from {status.learning_rate:.3g} to {rate:.3g}: the score may fall "
                f"at first"
            )
    return "\n".join(lines)


def resume_command(plan: TrainingPlan, status: TrainingStatus, saved: Path) -> str:
    """Return the command that goes on from ``saved``, with later limits in place of those that were reached."""
    command = f"{called('train')} --resume {quote(saved)}{import_options()}"
    for option, folder, default in (("--checkpoints", plan.checkpoints, CHECKPOINTS), ("--runs", plan.runs, RUNS)):
        command += f" {option} {quote(folder)}" if folder != default else ""
    command += f" {plan.cluster}" if plan.cluster else ""
    for name, limit in later_limits(plan, status).items():
        command += f" {option_name(name)} {limit:.15g}"
    return command


def progress_by_limit(plan: TrainingPlan, status: TrainingStatus) -> dict[str, tuple[float, float]]:
    """Return how far each limit of the run is reached, and the limit, by the names of the settings."""
    schedule = plan.config.schedule
    reached = {
        "total_steps": (status.steps, schedule.total_steps),
        "max_minutes": (status.minutes, schedule.max_minutes),
        "max_episodes": (status.games, schedule.max_episodes),
    }
    return {name: (done, limit) for name, (done, limit) in reached.items() if limit}


def later_limits(plan: TrainingPlan, status: TrainingStatus) -> dict[str, float]:
    """Return the double of each limit that was reached."""
    return {name: 2 * limit for name, (done, limit) in progress_by_limit(plan, status).items() if done >= limit}


def later_progress(plan: TrainingPlan, status: TrainingStatus) -> float:
    """Return the progress at which the run goes on with its later limits."""
    later = later_limits(plan, status)
    return max(done / later.get(name, limit) for name, (done, limit) in progress_by_limit(plan, status).items())


def tensorboard(runs: Path) -> str:
    """Return the command that shows the curves, and the address of their charts."""
    return f"tensorboard --logdir {quote(runs)}, then http://localhost:6006/#custom_scalars"


def quote(path: Path) -> str:
    """Return a path, quoted for a shell."""
    return shlex.quote(str(path))
