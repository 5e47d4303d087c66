"""Train an agent, or go on with a training."""

import argparse
import gc
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from breakout_a3c.cluster.options import LOCAL, MAX_SYNC_SECONDS, SYNC_SECONDS
from breakout_a3c.command_line import (
    Parser,
    add_config_options,
    add_host_option,
    add_import_option,
    add_retired_options,
    given_settings,
    number_between,
    require_page,
    with_options,
)
from breakout_a3c.config import CHECKPOINTS, RUNS, TrainConfig, option_name
from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.resources import usable_cores
from breakout_a3c.saving.config_file import read_config
from breakout_a3c.saving.files import is_file
from breakout_a3c.saving.model_names import model_path, require_there
from breakout_a3c.saving.retired_settings import RENAMED
from breakout_a3c.saving.run_names import all_checkpoints, free_name_on_failure, require_run_name, take_name
from breakout_a3c.training.contexts import training_context
from breakout_a3c.training.cores import fitted_to_cores
from breakout_a3c.training.needs import require_resources

if TYPE_CHECKING:  # imports torch, which --help need not wait for
    from breakout_a3c.playing.page_address import Address
    from breakout_a3c.processes.start import Context
    from breakout_a3c.training.plan import TrainingPlan
    from breakout_a3c.training.trainer import Supervise

DEFAULT_PRESET = "breakout"
NEWEST = object()  # of --resume without a checkpoint


def parse_options() -> argparse.Namespace:
    """Parse the command line; config options that were not given are absent."""
    first = Parser(add_help=False)
    add_import_option(first)
    first.add_argument("--preset", choices=PRESETS, help=f"settings to start from [{DEFAULT_PRESET}]")
    preset = first.parse_known_args()[0].preset or DEFAULT_PRESET
    parser = Parser(parents=[first], description="Train an agent with A3C.")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a config.toml whose settings replace those of the preset"
    )
    parser.add_argument("--run", help="name of the run's folders [preset or game, and time]")
    parser.add_argument(
        "--resume",
        type=checkpoint_or_newest,
        nargs="?",
        const=NEWEST,
        metavar="CHECKPOINT",
        help="go on with the run of this checkpoint; without CHECKPOINT: go on with the newest one of --run, or start "
        "that run if it has none (a batch system may give this command again; --preset, --config and --init-from count "
        "for the start). Options that are given replace the saved settings. A later end of the run lifts the learning "
        "rate again, and the score may fall at first",
    )
    parser.add_argument(
        "--init-from",
        type=model_path,
        metavar="MODEL",
        help="start a new run from the weights of a model or a checkpoint",
    )
    parser.add_argument(
        "--checkpoints",
        type=Path,
        default=CHECKPOINTS,
        metavar="DIR",
        help="where checkpoints go [checkpoints]",
    )
    parser.add_argument("--runs", type=Path, default=RUNS, metavar="DIR", help="where curves go [runs]")
    parser.add_argument(
        "--serve",
        metavar="PORT",
        nargs="?",
        type=number_between(int, 1, 65_535),
        const=8000,
        help="show games of the newest parameters on a page for the browser of this machine; nothing is played while "
        "nobody looks [port 8000]",
    )
    add_host_option(parser)
    add_cluster_options(parser)
    parser.add_argument("--wandb", action="store_true", help="show the curves in Weights & Biases, too")
    add_config_options(parser, PRESETS[preset])
    add_retired_options(parser, RENAMED)
    options = parser.parse_args()
    require_page(options)
    if options.cluster == "":
        raise UserError("--cluster is empty: give it local, auto or HOST:PORT, or leave it out.")
    for name in ("machines", "sync_seconds"):
        if getattr(options, name) is not None and not options.cluster:
            raise UserError(f"{option_name(name)} is for several machines: give it together with --cluster.")
    return options


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that spread a training over machines."""
    group = parser.add_argument_group("cluster", "Several machines; see docs/cluster.md.")
    group.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="train on the machines of a Ray cluster, with --threads actor-learners on each: local (Ray is started on "
        "this machine), auto (the cluster that this machine belongs to), or that cluster's HOST:PORT",
    )
    group.add_argument("--machines", metavar="N", type=number_between(int, 1, 10_000), help="machines at most [all]")
    group.add_argument(
        "--sync-seconds",
        metavar="S",
        type=number_between(float, 0.01, MAX_SYNC_SECONDS),
        help=f"seconds between two exchanges of a machine with the others [{SYNC_SECONDS:g}]",
    )


def checkpoint_or_newest(text: str) -> object:
    """Return the path of --resume; an empty one, such as a variable that a job's script left empty, is none."""
    return Path(text) if text else NEWEST


def new_config(options: argparse.Namespace) -> TrainConfig:
    """Return the settings of a new run: those of the preset, then of the file, then of the command line.

    On one machine and without a file, the cores decide on the number of actor-learners and games that were not given.
    """
    from breakout_a3c.games.names import check_game

    config, given = PRESETS[options.preset or DEFAULT_PRESET], given_settings(options)
    check_game(given.get("game", config.game.name))  # before anything that the game's name is part of
    if options.config:
        config = read_config(options.config, config, given)
        check_game(config.game.name)
    config = with_options(config, options)
    return config if options.config or options.cluster else fitted_to_cores(config, given, usable_cores())


def new_plan(config: TrainConfig, options: argparse.Namespace) -> "TrainingPlan":
    """Plan a new run, from fresh weights or from those of a model."""
    from breakout_a3c.saving.agent import load_weights
    from breakout_a3c.training.plan import TrainingPlan

    model = load_weights(options.init_from) if options.init_from else None
    if model:
        require_same_network(model.config, config, options.init_from)
    if options.run and options.resume is not NEWEST:
        require_new_run(options)
    prefix = f"{run_prefix(config, options.preset)}-{time.strftime('%Y%m%d-%H%M%S')}"
    run = options.run or take_name(prefix, options.checkpoints, options.runs)
    return TrainingPlan(
        config, run, options.checkpoints, options.runs, initial=model, source=options.init_from or Path()
    )


def require_new_run(options: argparse.Namespace) -> None:
    """Raise a UserError if a run of this name has left checkpoints, or a curve that the new one would cross."""
    folder, curve = options.checkpoints / options.run, options.runs / options.run
    if any(folder.glob("*.pt")):
        raise UserError(f"{folder} has checkpoints: choose another --run, or add --resume to go on with that run.")

    from breakout_a3c.training.metrics import has_curve

    if has_curve(curve):
        raise UserError(f"{curve} has the curve of an earlier run: choose another --run, or remove that folder.")


def run_prefix(config: TrainConfig, preset: str | None) -> str:
    """Return what a run's name begins with: the preset that was given, and the game unless it is the preset's."""
    game = config.game.name
    if preset is None:
        return game
    return preset if PRESETS[preset].game.name == game else f"{preset}-{game}"


def require_input(options: argparse.Namespace) -> None:
    """Raise a UserError at once, before torch is imported, where a run's name is none or a file is missing."""
    if options.run:
        require_run_name(options.run)
    if options.init_from:
        require_there(options.init_from)


def checkpoint_to_resume(options: argparse.Namespace) -> Path | None:
    """Return the checkpoint to go on from, None to start a new run."""
    if options.resume is None:
        return None
    if options.resume is not NEWEST:
        for name in ("init_from", "run", "preset", "config"):
            if getattr(options, name):
                raise UserError(f"--resume CHECKPOINT goes on with a run as it is: leave out {option_name(name)}.")
        if not is_file(options.resume) and options.resume.is_dir():
            raise UserError(f"{options.resume} is a folder: {advice_for_folder(options)}.")
        require_there(options.resume)
        return Path(options.resume)
    if not options.run:
        raise UserError("--resume without a checkpoint needs the name of a run: give --run, or a checkpoint.")
    return next(reversed(all_checkpoints(options.checkpoints / options.run)), None)


def advice_for_folder(options: argparse.Namespace) -> str:
    """Return what to give in place of a folder: a checkpoint, or the name of the run if it is the folder of one."""
    folder = options.resume.resolve()
    if folder.parent == options.checkpoints.resolve() and all_checkpoints(folder):
        return f"give a checkpoint in it, or --run {folder.name} --resume for its newest"
    return f"give the path of a checkpoint, such as {options.checkpoints / 'latest.pt'}"


def resume_plan(path: Path, options: argparse.Namespace) -> "TrainingPlan":
    """Plan to go on with a run; options that were given replace those of its checkpoint."""
    from breakout_a3c.saving.checkpoints import load_checkpoint
    from breakout_a3c.saving.newest import load_newest
    from breakout_a3c.training.plan import TrainingPlan

    if options.resume is NEWEST:
        path, checkpoint = load_newest(path.parent, print)
    else:
        checkpoint = load_checkpoint(path)
    config = with_options(checkpoint.config, options)
    require_same_network(checkpoint.config, config, path)
    run = options.run or checkpoint.run
    return TrainingPlan(config, run, options.checkpoints, options.runs, resume=checkpoint, source=path)


def completion(plan: "TrainingPlan") -> str:
    """Return the sentence for a run that has nothing left to do, otherwise an empty one."""
    done = plan.resume
    if done is None or plan.config.schedule.progress(done.steps, done.minutes, done.games) < 1:
        return ""
    return (
        f"{plan.source} is complete after {done.steps:,} steps and {done.minutes:.1f} minutes: "
        f"give a larger --total-steps, --max-minutes or --max-episodes to go on."
    )


def require_same_network(found: TrainConfig, wanted: TrainConfig, path: Path) -> None:
    """Raise a UserError unless weights for ``found`` fit the network of ``wanted``."""
    for name in ("game", "network", "actions", "separate_value_network", "symmetric", "background"):
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


def page_address(options: argparse.Namespace) -> "Address | None":
    """Return where the page is, None without one.

    Raises:
        UserError: If it cannot be there.
    """
    from breakout_a3c.playing.page_address import Address

    if not options.serve:
        return None
    address = Address.beyond_loopback(options.serve, options.host)
    address.listen().close()
    return address


def cluster_options(options: argparse.Namespace) -> str:
    """Return the options of the cluster as they are typed."""
    given = {"--cluster": options.cluster, "--machines": options.machines, "--sync-seconds": options.sync_seconds}
    return " ".join(f"{option} {shlex.quote(str(value))}" for option, value in given.items() if value is not None)


def on_machines(plan: "TrainingPlan", options: argparse.Namespace) -> "Supervise":
    """Return what starts, watches and stops the actor-learners of a cluster.

    Raises:
        UserError: If there is no such cluster, or one of its machines cannot train with this one.
    """
    from breakout_a3c.cluster.machines import cluster_supervisor
    from breakout_a3c.cluster.options import ClusterOptions
    from breakout_a3c.cluster.ray_cluster import connect

    with free_name_on_failure(plan.run, plan.checkpoints, plan.runs):
        cluster = connect(options.cluster, plan.config.game.name)
        try:
            cluster.require_compatible(options.machines)
        except BaseException:  # Ctrl-C, too
            cluster.close()
            raise
    return cluster_supervisor(cluster, ClusterOptions(options.machines, options.sync_seconds or SYNC_SECONDS))


def require_one_machine(config: TrainConfig, options: argparse.Namespace) -> None:
    """Raise a UserError if the machines of a cluster are to compute on GPUs."""
    if options.cluster and config.network.device != "cpu":
        raise UserError(f"--device {config.network.device} is for one machine: give --device cpu, or no --cluster.")


def with_device(plan: "TrainingPlan", context: "Context") -> "TrainingPlan":
    """Return a plan that says where its layers compute.

    Raises:
        UserError: If a GPU is asked for, and there is none.
    """
    from breakout_a3c.training.device_choice import choose_device

    with free_name_on_failure(plan.run, plan.checkpoints, plan.runs):
        return replace(plan, device=choose_device(plan.config, context))


def main() -> int:
    """Train as the command line says; return the exit code."""
    options = parse_options()
    require_input(options)
    address = page_address(options)  # refused before anything is made
    source = checkpoint_to_resume(options)
    if source:
        plan = resume_plan(source, options)
        require_one_machine(plan.config, options)
        if complete := completion(plan):
            if options.resume is not NEWEST:
                raise UserError(complete)
            print(complete)  # to a batch system that starts the same command again, that is no fault
            return 0
        from breakout_a3c.training.plan import resumed_play_states

        if options.cluster in (None, LOCAL):
            require_resources(plan.config, resumed_play_states(plan).values())
        context = training_context(plan.config)
    else:
        config = new_config(options)
        require_one_machine(config, options)
        if options.cluster in (None, LOCAL):  # other machines see to what they need
            require_resources(config)
        # Started before torch is imported here: the forkserver imports it at the same time.
        context = training_context(config)
        plan = new_plan(config, options)

    from breakout_a3c.training.supervisor import Supervisor
    from breakout_a3c.training.trainer import Trainer

    plan = replace(plan, wandb=options.wandb, address=address, cluster=cluster_options(options))
    plan = with_device(plan, context)
    supervise = on_machines(plan, options) if options.cluster else Supervisor
    code = Trainer(plan, context, supervise=supervise).run()
    gc.freeze()  # or Python's last collection would look at all of torch, for a second after Ctrl-C
    return code
