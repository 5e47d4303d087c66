"""Watch a trained agent play, record it, or evaluate it."""

import argparse
import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from breakout_a3c.command_line import Parser, add_host_option, add_import_option, number_between, require_page
from breakout_a3c.config import CHECKPOINTS, GAMES_PER_SEED, PROTOCOL_SEEDS
from breakout_a3c.errors import UserError
from breakout_a3c.playing.progress import ShowProgress, progress
from breakout_a3c.playing.report import evaluation_facts, scores_sentence, table_lines
from breakout_a3c.saving.model_names import MODELS, model_path, require_there

# Modules that import torch, pygame or OpenCV are imported inside functions: --help and a typing error are
# answered at once.
if TYPE_CHECKING:
    from breakout_a3c.playing.controls import Controls
    from breakout_a3c.playing.evaluation import Protocol
    from breakout_a3c.playing.player import Player
    from breakout_a3c.playing.scene import Scene
    from breakout_a3c.playing.show import Display
    from breakout_a3c.saving.agent import Agent

NEWEST_RUN = Path()  # of --follow without a folder
DEFAULT_MODELS = (CHECKPOINTS / "latest.pt", MODELS / "breakout.safetensors")  # the first that exists
PRELOAD = ("breakout_a3c.playing.evaluation_pool",)  # runs in the children


def parse_options() -> argparse.Namespace:
    """Parse the command line; a mistake ends the program with one sentence and code 2."""
    parser = Parser(
        description="Evaluate a trained agent over 100 full games, watch it in a window or on a page, or record it.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        type=model_path,
        default=default_model(),
        help="a checkpoint, a published model or the name of one, such as breakout [%(default)s]",
    )
    parser.add_argument(
        "--follow",
        metavar="RUN",
        nargs="?",
        type=Path,
        const=NEWEST_RUN,
        help="play by the newest parameters of a running training, others with each game; RUN is its folder of "
        "checkpoints [the newest run]",
    )
    add_import_option(parser)
    add_mode_options(parser)
    add_game_options(parser)
    add_recording_options(parser)
    options = parser.parse_args()
    if options.follow and not (options.render or options.serve):
        raise UserError("--follow shows a running training: give it together with --render or --serve.")
    require_page(options)
    if options.seconds and not options.record:
        raise UserError("--seconds is the length of a recording: give it together with --record.")
    if options.no_panel and not options.record:
        raise UserError("--no-panel is for a recording: give it together with --record.")
    return options


def add_mode_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose between window, recording, page and JSON; without one, a table is printed."""
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--render", action="store_true", help="show the games in a window")
    modes.add_argument("--record", metavar="FILE", type=Path, help="record the games as .mp4 or .gif")
    modes.add_argument(
        "--serve",
        metavar="PORT",
        nargs="?",
        type=number_between(int, 1, 65_535),
        const=8000,
        help="show the games on a page for the browser of this machine [port 8000]",
    )
    add_host_option(parser)
    modes.add_argument("--json", action="store_true", help="print the evaluation as one JSON object")


def add_game_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the games and their rules."""
    parser.add_argument(
        "--episodes",
        metavar="N",
        type=number_between(int, 1, GAMES_PER_SEED),
        help="full games to play [evaluation: 100, recording: 1, window: until it is closed]",
    )
    parser.add_argument("--greedy", action="store_true", help="play the most probable action instead of sampling one")
    parser.add_argument(
        "--sticky",
        metavar="P",
        type=number_between(float, 0, 1),
        help="probability that the emulator repeats the last action [as the agent was trained] "
        "(Machado et al. 2018: 0.25)",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=number_between(int, 0, PROTOCOL_SEEDS - 1),
        default=0,
        help="which set of games is played: each seed has its own [0]",
    )


def add_recording_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a recording alone."""
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=number_between(float, 1, 100_000),
        help="record so many seconds of the game at most [whole games]",
    )
    parser.add_argument("--no-panel", action="store_true", help="record the screen alone, without the panel beside it")


def default_model() -> Path:
    """Return the model to play when none is named."""
    return next((model for model in DEFAULT_MODELS if model.exists()), DEFAULT_MODELS[0])


def main() -> None:
    """Play as the command line says."""
    options = parse_options()
    if not options.follow:
        require_there(options.model)
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # its greeting goes to stdout
    if options.serve or options.record:
        os.environ["SDL_VIDEODRIVER"] = "dummy"  # CartPole draws with pygame, which would look for a display
    if options.render:
        from breakout_a3c.playing.window import Window

        watch(options, Window)
    elif options.serve:
        from breakout_a3c.playing.page_address import Address
        from breakout_a3c.playing.web_page import Page

        address = Address.beyond_loopback(options.serve, options.host)
        watch(options, lambda controls: Page(controls, address), f"Watch it at {address.url} - Ctrl-C ends it.")
    elif options.record:
        record(options)
    else:
        evaluate(options)


def load(options: argparse.Namespace, default_episodes: int) -> "tuple[Agent, Protocol]":
    """Load the agent, and return it with the protocol that the options describe."""
    from breakout_a3c.playing.evaluation import Protocol
    from breakout_a3c.saving.agent import load_agent

    agent = load_agent(options.model)
    game = agent.checkpoint.config.game
    if options.sticky and not game.is_atari:
        raise UserError(f"--sticky is for Atari games: leave it out for {game.name}.")
    return agent, Protocol.trained_for(game, **rules_of(options, default_episodes))


def rules_of(options: argparse.Namespace, default_episodes: int) -> dict[str, Any]:
    """Return the rules of the games that the options ask for."""
    rules = {"episodes": options.episodes or default_episodes, "seed": options.seed, "greedy": options.greedy}
    return rules if options.sticky is None else rules | {"sticky": options.sticky}


def watch(
    options: argparse.Namespace, make_display: "Callable[[Controls], AbstractContextManager[Display]]", hint: str = ""
) -> None:
    """Show games on a display until the viewer quits, or as many as ``--episodes`` says.

    Args:
        options: Of the command line.
        make_display: Opens the window, or the page.
        hint: Printed when it can be seen.
    """
    from breakout_a3c.playing.controls import Controls
    from breakout_a3c.playing.recording import RecordingOnDemand
    from breakout_a3c.playing.show import show_game

    controls = Controls(greedy=options.greedy)
    scores: list[float] = []
    with make_display(controls) as display, RecordingOnDemand(controls) as recordings, suppress(KeyboardInterrupt):
        player = make_player(options, controls)
        scores = player.scores
        if hint:
            print(hint, flush=True)
        games = range(options.episodes) if options.episodes else itertools.cycle(range(GAMES_PER_SEED))
        for game in games:
            if not show_game(display, player.play(game), player.frames_per_second, controls, recordings):
                break
    for path in recordings.finished:
        print(f"recorded: {path}")
    print(scores_sentence(scores))
    for error in recordings.errors:
        raise error


def make_player(options: argparse.Namespace, controls: "Controls") -> "Player":
    """Return the player of a model, or of a training that goes on."""
    from breakout_a3c.playing.player import Player

    if options.follow is not None:
        from breakout_a3c.playing.following import make_following_player
        from breakout_a3c.saving.watched_run import newest_run

        run = newest_run(CHECKPOINTS) if options.follow == NEWEST_RUN else options.follow
        return make_following_player(run, controls, **rules_of(options, GAMES_PER_SEED))
    agent, protocol = load(options, default_episodes=GAMES_PER_SEED)
    return Player(agent.network, agent.checkpoint.config.game, protocol, controls)


def record(options: argparse.Namespace) -> None:
    """Record games to a file."""
    from breakout_a3c.playing import recording

    recording.check_target(options.record)
    from breakout_a3c.playing.player import Player

    agent, protocol = load(options, default_episodes=1)
    player = Player(agent.network, agent.checkpoint.config.game, protocol)
    with progress("recording", protocol.episodes) as show:
        scenes: Iterator[Scene] = play_scenes(player, protocol.episodes, show)
        if options.seconds:
            scenes = itertools.islice(scenes, round(options.seconds * player.frames_per_second))
        seconds = recording.record(scenes, options.record, player.frames_per_second, with_panel=not options.no_panel)
    minutes, seconds = divmod(round(seconds), 60)
    megabytes = options.record.stat().st_size / 1e6
    print(f"{options.record}: {minutes}:{seconds:02} minutes, {megabytes:.1f} MB")
    print(scores_sentence(player.scores))


def play_scenes(player: "Player", episodes: int, show: ShowProgress) -> "Iterator[Scene]":
    """Yield the frames of ``episodes`` games, and show their progress."""
    for game in range(episodes):
        for scene in player.play(game):
            show(game, f"score {scene.score:,.0f} after {scene.step:,} steps")
            yield scene


def evaluate(options: argparse.Namespace) -> None:
    """Play the games of the evaluation and print their scores."""
    from breakout_a3c.processes.start import process_context

    context = process_context("forkserver", PRELOAD)  # it warms up while this process imports torch, too
    from breakout_a3c.playing.evaluation_pool import evaluate_on_all_cores

    agent, protocol = load(options, default_episodes=100)
    with progress("evaluating", protocol.episodes, silent=options.json) as show:
        show(0, "no game is over yet")
        result = evaluate_on_all_cores(
            context,
            agent,
            protocol,
            lambda played: show(len(played), f"mean {fmean(each.game.episode_return for each in played):,.1f}"),
        )
    facts = evaluation_facts(options.model, agent, result)
    if options.json:
        print(json.dumps(facts))
    else:
        print(*table_lines(facts), sep="\n")
