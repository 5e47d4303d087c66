"""Train an agent, or go on with a training."""

import argparse
import gc
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from breakout_a3c.command_line import Parser, add_config_options, add_retired_options, with_options
from breakout_a3c.config import CHECKPOINTS, RUNS, TrainConfig, option_name
from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.start import process_context
from breakout_a3c.saving.config_file import read_config
from breakout_a3c.saving.retired_settings import RENAMED

if TYPE_CHECKING:  # imports torch, which --help need not wait for
    from breakout_a3c.training.plan import TrainingPlan

DEFAULT_PRESET = "breakout"
PRELOAD = ("breakout_a3c.learning.actor_learner", "breakout_a3c.playing.evaluation")  # what its children run


def parse_options() -> argparse.Namespace:
    """Parse the command line; config options that were not given are absent."""
    first = Parser(add_help=False)
    first.add_argument("--preset", choices=PRESETS, help=f"settings to start from [{DEFAULT_PRESET}]")
    preset = first.parse_known_args()[0].preset or DEFAULT_PRESET
    parser = Parser(parents=[first], description="Train an agent with A3C.")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a config.toml whose settings replace those of the preset"
    )
    parser.add_argument("--run", help="name of the run's folders [preset or game, and time]")
    parser.add_argument("--resume", type=Path, metavar="CHECKPOINT", help="go on with the run of this checkpoint")
    parser.add_argument(
        "--init-from", type=Path, metavar="MODEL", help="start a new run from the weights of a model or a checkpoint"
    )
    parser.add_argument(
        "--checkpoints",
        type=Path,
        default=CHECKPOINTS,
        metavar="DIR",
        help="where checkpoints go [checkpoints]",
    )
    parser.add_argument("--runs", type=Path, default=RUNS, metavar="DIR", help="where curves go [runs]")
    parser.add_argument("--wandb", action="store_true", help="show the curves in Weights & Biases, too")
    add_config_options(parser, PRESETS[preset])
    add_retired_options(parser, RENAMED)
    return parser.parse_args()


def new_plan(config: TrainConfig, options: argparse.Namespace) -> "TrainingPlan":
    """Plan a new run, from fresh weights or from those of a model."""
    from breakout_a3c.saving.agent import load_weights
    from breakout_a3c.saving.contents import RUN_NAME
    from breakout_a3c.training.plan import TrainingPlan

    run = options.run or f"{run_prefix(config, options.preset)}-{time.strftime('%Y%m%d-%H%M%S')}"
    if not RUN_NAME.fullmatch(run):
        raise UserError(f"--run is {run!r}: use letters, digits, '.', '_' and '-' only.")
    if any((options.checkpoints / run).glob("*.pt")):
        raise UserError(f"{options.checkpoints / run} exists: choose another --run, or go on with it by --resume.")
    plan = TrainingPlan(config, run, options.checkpoints, options.runs)
    if not options.init_from:
def new_config(options: argparse.Namespace) -> TrainConfig:
    """Return the settings of a new run: those of the preset, then of the file, then of the command line."""
    from breakout_a3c.games.names import check_game

    preset = PRESETS[options.preset or DEFAULT_PRESET]
    base = read_config(options.config, preset) if options.config else preset
    check_game(getattr(options, "game", base.game.name))  # before anything that the game's name is part of
    return with_options(base, options)


        return plan
    model = load_weights(options.init_from)
    require_same_network(model.config, config, options.init_from)
    return replace(plan, initial=model, source=options.init_from)


def run_prefix(config: TrainConfig, preset: str | None) -> str:
    """Return what a run's name begins with: the preset that was given, and the game unless it is the preset's."""
    game = config.game.name
    if preset is None:
        return game
    return preset if PRESETS[preset].game.name == game else f"{preset}-{game}"


def resume_plan(options: argparse.Namespace) -> "TrainingPlan":
    """Plan to go on with a run; options that were given replace those of its checkpoint."""
    from breakout_a3c.saving.checkpoints import load_checkpoint
    from breakout_a3c.training.plan import TrainingPlan

    checkpoint = load_checkpoint(options.resume)
    config = with_options(checkpoint.config, options)
    require_same_network(checkpoint.config, config, options.resume)
    if config.schedule.progress(checkpoint.steps, checkpoint.minutes, checkpoint.games) >= 1:
        raise UserError(
            f"{options.resume} is complete after {checkpoint.steps:,} steps and {checkpoint.minutes:.1f} minutes: "
            f"give a larger --total-steps, --max-minutes or --max-episodes to go on."
        )
    return TrainingPlan(
        config, checkpoint.run, options.checkpoints, options.runs, resume=checkpoint, source=options.resume
    )


def require_same_network(found: TrainConfig, wanted: TrainConfig, path: Path) -> None:
    """Raise a UserError unless weights for ``found`` fit the network of ``wanted``."""
    for name in ("game", "network", "actions", "separate_value_network", "symmetric"):
        values = [config.to_dict()[name] for config in (found, wanted)]
        if values[0] != values[1]:
            trained, given = (as_option(name, value) for value in values)
            raise UserError(f"{path} was trained with {trained}, not {given}: give {trained}, or start without it.")


def as_option(name: str, value: str | bool) -> str:
    """Return how a setting is typed."""
    option = option_name(name)
    if isinstance(value, bool):
        return option if value else option.replace("--", "--no-", 1)
    return f"{option} {value}"


def main() -> int:
    """Train as the command line says; return the exit code."""
    options = parse_options()
    for name in ("init_from", "run", "preset", "config"):
        if options.resume and getattr(options, name):
            raise UserError(f"--resume goes on with a run as it is: leave out --{name.replace('_', '-')}.")
    if options.resume:
        plan = resume_plan(options)
        context = process_context(plan.config.upkeep.start_method, PRELOAD)
    else:
        config = new_config(options)
        # Started before torch is imported here: the forkserver imports it at the same time.
        context = process_context(config.upkeep.start_method, PRELOAD)
        plan = new_plan(config, options)

    from breakout_a3c.training.trainer import Trainer

    code = Trainer(replace(plan, wandb=options.wandb), context).run()
    gc.freeze()  # or Python's last collection would look at all of torch, for a second after Ctrl-C
    return code
