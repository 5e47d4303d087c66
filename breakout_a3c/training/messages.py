"""The first and the last message of a training: its length, its folders, and the next commands."""

import shlex
from pathlib import Path

from breakout_a3c.config import CHECKPOINTS, RUNS
from breakout_a3c.training.plan import TrainingPlan
from breakout_a3c.training.status import TrainingStatus


def start_message(plan: TrainingPlan) -> str:
    """Say what is about to happen, how long it takes, and how to stop it."""
    config = plan.config
    limits = [f"{config.schedule.total_steps:,} agent steps" if config.schedule.total_steps else ""]
    limits.append(f"{config.schedule.max_minutes:g} minutes" if config.schedule.max_minutes else "")
    limits.append(f"{config.schedule.max_episodes:,} games" if config.schedule.max_episodes else "")
    length = " or ".join(filter(None, limits)) or "no limit"
    learners = "one learner" if config.learners.count == 1 else f"{config.learners.count} actor-learners"
    who = f"{config.learners.algorithm.upper()} with {learners} x {config.learners.envs} games"
    return (
        f"Training {config.game.name} by {who}.\n"
        f"Length: {length}. Ctrl-C stops and saves.\n"
        f"A checkpoint every {config.upkeep.checkpoint_minutes:g} minutes: {plan.checkpoints / plan.run}\n"
        f"Curves: {tensorboard(plan.runs)}"
    )


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
    lines = [f"{ended}.", f"saved:     {saved}"]
    if best_evaluation is not None:
        lines.append(f"best:      {best}, mean score {best_evaluation:.1f} in its evaluation")
    lines += [
        f"see it:    python play.py {quote(saved)} --render",
        f"measure:   python play.py {quote(saved)} --episodes 100",
        f"curves:    {tensorboard(plan.runs)}",
        f"picture:   python -m breakout_a3c curves {quote(plan.runs / plan.run)}",
        f"go on:     {resume_command(plan, status, saved)}",
    ]
    return "\n".join(lines)


def resume_command(plan: TrainingPlan, status: TrainingStatus, saved: Path) -> str:
    """Return the command that goes on from ``saved``; it doubles each limit that was reached."""
    config = plan.config
    command = f"python train.py --resume {quote(saved)}"
    for option, folder, default in (("--checkpoints", plan.checkpoints, CHECKPOINTS), ("--runs", plan.runs, RUNS)):
        command += f" {option} {quote(folder)}" if folder != default else ""
    for option, done, limit in (
        ("--total-steps", status.steps, config.schedule.total_steps),
        ("--max-minutes", status.minutes, config.schedule.max_minutes),
        ("--max-episodes", status.games, config.schedule.max_episodes),
    ):
        command += f" {option} {2 * limit:.15g}" if limit and done >= limit else ""
    return command


def tensorboard(runs: Path) -> str:
    """Return the command that shows the curves, and the address of their charts."""
    return f"tensorboard --logdir {quote(runs)}, then http://localhost:6006/#custom_scalars"


def quote(path: Path) -> str:
    """Return a path, quoted for a shell."""
    return shlex.quote(str(path))
