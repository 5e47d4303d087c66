"""Watch a trained agent play, record it, or evaluate it."""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from breakout_a3c.command_line import Parser, number
from breakout_a3c.config import CHECKPOINTS, GAMES_PER_SEED, PROTOCOL_SEEDS
from breakout_a3c.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
# The modules that import torch, pygame or OpenCV are imported where they are used: --help and a
# typing error are answered at once.
if TYPE_CHECKING:
    from breakout_a3c.playing.controls import Controls
    from breakout_a3c.playing.evaluation import EvaluationResult, Protocol
    from breakout_a3c.playing.player import Player
    from breakout_a3c.playing.scene import Scene
    from breakout_a3c.playing.web_page import Page
    from breakout_a3c.playing.window import Window
    from breakout_a3c.saving.agent import Agent

DEFAULT_MODELS = (CHECKPOINTS / "latest.pt", ROOT / "models" / "breakout.safetensors")  # the first that is there
PRELOAD = ("breakout_a3c.playing.evaluation_pool",)  # what its children run
PROGRESS_SECONDS = 10.0  # between two lines where there is no terminal
# Name of a row: its key in the report, and how its value is shown.
TABLE: dict[str, tuple[str, Callable[[Any], str]]] = {
    "model": ("model", str),
    "game": ("game", str),
    "steps trained": ("steps", "{:,}".format),
    "actions": ("action_names", ", ".join),
    "auto-FIRE": ("auto_fire", lambda fires: "yes" if fires else "no"),
    "frame skip": ("frame_skip", str),
    "no-ops": ("max_noops", "1 to {} frames".format),
    "sticky": ("sticky", "{:g}".format),
    "frame cap": ("max_episode_frames", "{:,}".format),
    "policy": ("policy", str),
    "seed": ("seed", str),
    "games": ("episodes", str),
    "mean": ("mean", "{:,.1f}".format),
    "std": ("std", "{:,.1f}".format),
    "standard error": ("standard_error", "{:,.1f}".format),
    "median": ("median", "{:,.1f}".format),
    "min": ("min", "{:,.0f}".format),
    "max": ("max", "{:,.0f}".format),
    "truncated games": ("truncated_games", str),
    "distinct games": ("distinct_games", str),
}
ShowProgress = Callable[[int, str], None]  # takes the number of finished games and a text


def parse() -> argparse.Namespace:
    """Read the command line; a mistake ends the program with one sentence and code 2."""
    parser = Parser(
        description="Evaluate a trained agent over 100 full games, watch it in a window or on a page, or record it.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        type=Path,
        default=default_model(),
        help="a checkpoint or a published model [%(default)s]",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--render", action="store_true", help="show the games in a window")
    how.add_argument("--record", metavar="FILE", type=Path, help="record the games as .mp4 or .gif")
    how.add_argument(
        "--serve",
        metavar="PORT",
        nargs="?",
        type=number_between(int, 1, 65_535),
        const=8000,
        help="show the games on a page for the browser of this machine [port 8000]",
    )
    how.add_argument("--json", action="store_true", help="print the evaluation as one JSON object")
    parser.add_argument(
        "--episodes",
        metavar="N",
        type=number_between(int, 1, GAMES_PER_SEED),
        help="full games to play [evaluation: 100, recording: 1, window: until it is closed]",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=number_between(float, 1, 100_000),
        help="record so many seconds of the game at most [whole games]",
    )
    parser.add_argument("--no-panel", action="store_true", help="record the screen alone, without the panel beside it")
    parser.add_argument("--greedy", action="store_true", help="play the most probable action instead of sampling one")
    parser.add_argument(
        "--sticky",
        metavar="P",
        type=number_between(float, 0, 1),
        default=0.0,
        help="probability that the emulator repeats the last action [0] (Machado et al. 2018: 0.25)",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=number_between(int, 0, PROTOCOL_SEEDS - 1),
        default=0,
        help="which set of games is played: each seed has its own [0]",
    )
    options = parser.parse_args()
    if options.seconds and not options.record:
        raise UserError("--seconds is the length of a recording: give it together with --record.")
    if options.no_panel and not options.record:
        raise UserError("--no-panel is for a recording: give it together with --record.")
    return options


def number_between(kind: type, low: float, high: float) -> Callable[[str], Any]:
    """Return a parser of numbers from ``low`` to ``high``."""
    parse_number = number(kind)

    def parse(text: str) -> Any:
        value = parse_number(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    parse.__name__ = parse_number.__name__
    return parse


def default_model() -> Path:
    """Return the model to play when none is named."""
    return next((model for model in DEFAULT_MODELS if model.exists()), DEFAULT_MODELS[0])


def main() -> None:
    """Play as the command line says."""
    options = parse()
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # its greeting goes to stdout
    if options.render:
        from breakout_a3c.playing.window import Window

        watch(options, Window)
    elif options.serve:
        os.environ["SDL_VIDEODRIVER"] = "dummy"  # CartPole draws with pygame, which would look for a display
        from breakout_a3c.playing.web_page import Page

        watch(options, lambda controls: Page(controls, options.serve))
    elif options.record:
        record(options)
    else:
        evaluate(options)


def load(options: argparse.Namespace, default_episodes: int) -> "tuple[Agent, Protocol]":
    """Load the agent, and say how its games are played."""
    from breakout_a3c.config import CARTPOLE
    from breakout_a3c.playing.evaluation import Protocol
    from breakout_a3c.saving.agent import load_agent

    agent = load_agent(options.model)
    if options.sticky and agent.checkpoint.config.game.name == CARTPOLE:
        raise UserError("--sticky is for Atari games: leave it out for cartpole.")
    episodes = options.episodes or default_episodes
    return agent, Protocol(episodes, options.seed, options.greedy, options.sticky)


def watch(options: argparse.Namespace, make_display: "Callable[[Controls], Window | Page]") -> None:
    """Show games in a window or on a page until it is closed, or as many as asked for."""
    from breakout_a3c.playing.controls import Controls

    controls = Controls(greedy=options.greedy)
    scores: list[float] = []
    with make_display(controls) as display, suppress(KeyboardInterrupt):
        from breakout_a3c.playing.player import Player

        agent, protocol = load(options, default_episodes=GAMES_PER_SEED)
        player = Player(agent.network, agent.checkpoint.config.game, protocol, controls)
        scores = player.scores
        if options.serve:
            print(f"Watch it at http://127.0.0.1:{options.serve} - Ctrl-C ends it.", flush=True)
        games = range(options.episodes) if options.episodes else itertools.cycle(range(GAMES_PER_SEED))
        for game in games:
            if not display.show(player.play(game), player.frames_per_second):
                break
    for path in display.recordings.finished:
        print(f"recorded: {path}")
    print(scores_sentence(scores))
    for error in display.recordings.errors:
        raise error


def record(options: argparse.Namespace) -> None:
    """Record games to a file."""
    from breakout_a3c.playing import recording

    recording.check_target(options.record)
    os.environ["SDL_VIDEODRIVER"] = "dummy"  # CartPole draws with pygame, which would look for a display
    from breakout_a3c.playing.player import Player

    agent, protocol = load(options, default_episodes=1)
    player = Player(agent.network, agent.checkpoint.config.game, protocol)
    with progress("recording", protocol.episodes) as show:
        scenes: Iterator[Scene] = played_scenes(player, protocol.episodes, show)
        if options.seconds:
            scenes = itertools.islice(scenes, round(options.seconds * player.frames_per_second))
        seconds = recording.record(scenes, options.record, player.frames_per_second, with_panel=not options.no_panel)
    minutes, seconds = divmod(round(seconds), 60)
    megabytes = options.record.stat().st_size / 1e6
    print(f"{options.record}: {minutes}:{seconds:02} minutes, {megabytes:.1f} MB")
    print(scores_sentence(player.scores))


def played_scenes(player: "Player", episodes: int, show: ShowProgress) -> "Iterator[Scene]":
    """Yield the frames of all games, and show how far they are."""
    for game in range(episodes):
        for scene in player.play(game):
            show(game, f"score {scene.score:,.0f} after {scene.step:,} steps")
            yield scene


def scores_sentence(scores: list[float]) -> str:
    """Return the scores of the games that were played to their end."""
    if not scores:
        return "No game was played to its end."
    listed = ", ".join(f"{score:,.0f}" for score in scores)
    return f"{len(scores)} {'game' if len(scores) == 1 else 'games'}, score {listed}"


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
    facts = report(options.model, agent, result)
    if options.json:
        print(json.dumps(facts))
    else:
        print_table(facts)


def report(model: Path, agent: "Agent", result: "EvaluationResult") -> dict[str, Any]:
    """Return all that belongs to a published score; None stands for what does not apply."""
    from breakout_a3c.config import CARTPOLE
    from breakout_a3c.playing.evaluation import make_player_environment

    config = agent.checkpoint.config
    facts = {
        "model": str(model),
        "game": config.game.name,
        "steps": agent.checkpoint.steps,
        "action_names": make_player_environment(config.game, result.protocol).action_names,
        "auto_fire": config.game.auto_fire,
        "frame_skip": config.game.frame_skip,
        **result.to_dict(),
    }
    if config.game.name == CARTPOLE:
        facts |= dict.fromkeys(("auto_fire", "frame_skip", "max_noops", "sticky", "max_episode_frames"))
    return facts


def print_table(facts: dict[str, Any]) -> None:
    """Print a report as two columns."""
    for name, (key, show) in TABLE.items():
        if facts[key] is not None:
            print(f"{name:<16}{show(facts[key])}")
        elif key == "standard_error":
            print(f"{name:<16}- (greedy games without sticky actions are not independent)")


@contextmanager
def progress(name: str, episodes: int, silent: bool = False) -> Iterator[ShowProgress]:
    """Show on stderr how far the games are: a bar on a terminal, elsewhere a line now and then."""
    if silent:
        yield lambda finished, text: None
    elif sys.stderr.isatty():
        with progress_bar(name, episodes) as show:
            yield show
    else:
        yield progress_lines(name, episodes)


@contextmanager
def progress_bar(name: str, episodes: int) -> Iterator[ShowProgress]:
    """Show a bar that goes away at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(name),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("games, {task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=episodes)
        yield lambda finished, text: bar.update(task, completed=finished, description=text)


def progress_lines(name: str, episodes: int) -> ShowProgress:
    """Return a function that prints a line every PROGRESS_SECONDS."""
    next_line = time.monotonic() + PROGRESS_SECONDS

    def show(finished: int, text: str) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line += PROGRESS_SECONDS
            print(f"{name}: {finished} of {episodes} games, {text}", file=sys.stderr, flush=True)

    return show
