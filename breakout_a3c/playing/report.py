"""Reports the scores of an evaluation: one object for machines, a table for people."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from breakout_a3c.config import GameOptions

if TYPE_CHECKING:  # these import torch, which --help need not wait for
    from breakout_a3c.playing.evaluation import EvaluationResult
    from breakout_a3c.saving.agent import Agent

SPREAD = ("std", "standard_error")
EMULATOR_FACTS = ("auto_fire", "frame_skip", "max_noops", "sticky", "sticky_in_training", "max_episode_frames")
# Name of a row: its key in the report, and the format of its value.
TABLE: dict[str, tuple[str, Callable[[Any], str]]] = {
    "model": ("model", str),
    "game": ("game", str),
    "steps trained": ("steps", "{:,}".format),
    "actions": ("action_names", ", ".join),
    "auto-FIRE": ("auto_fire", lambda fires: "yes" if fires else "no"),
    "frame skip": ("frame_skip", str),
    "no-ops": ("max_noops", lambda frames: f"1 to {frames} frames" if frames else "none"),
    "sticky": ("sticky", "{:g}".format),
    "sticky, trained": ("sticky_in_training", str),
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
    "arithmetic": ("precision", str),
    "CPU": ("cpu_capability", str),
    "versions": ("versions", lambda versions: ", ".join(" ".join(each) for each in versions.items())),
}


def evaluation_facts(model: Path, agent: "Agent", result: "EvaluationResult") -> dict[str, Any]:
    """Return the facts that belong to a published score, as ``play.py --json`` prints them.

    Args:
        model: The file that was evaluated.
        agent: The player.
        result: The scores and their protocol.

    Returns:
        Names and values; None stands for a fact that does not apply.
    """
    import torch

    from breakout_a3c.playing.evaluation import make_evaluation_environment
    from breakout_a3c.saving.provenance import program_versions

    options = agent.checkpoint.config.game
    action_names = make_evaluation_environment(options, result.protocol).action_names
    facts = {
        "model": str(model),
        "game": options.name,
        "steps": agent.checkpoint.steps,
        "action_names": action_names,
        "auto_fire": options.auto_fire and "FIRE" in action_names,
        "frame_skip": options.frame_skip,
        "sticky_in_training": sticky_in_training(options),
        **result.to_dict(),
        # The same on any machine where these three are the same.
        "precision": str(agent.precision).removeprefix("torch."),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": program_versions(),
    }
    if not options.is_atari:
        facts |= dict.fromkeys(EMULATOR_FACTS)
    return facts


def sticky_in_training(options: GameOptions) -> str:
    """Return how sticky actions were in the games that an agent learned from."""
    from breakout_a3c.games.batch import STICKY

    if options.sticky or not options.sticky_games:
        return f"{options.sticky:g}"
    games, begin = f"{options.sticky_games:.0%}", f"{options.sticky_games_begin:.0%}"
    return f"0, and {STICKY:g} in {games} of the games from {begin} of the run on"


def table_lines(facts: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table in two columns; facts that do not apply are left out."""
    for name, (key, text) in TABLE.items():
        if facts[key] is not None:
            yield f"{name:<16}{text(facts[key])}"
        elif key in SPREAD:
            one_game = facts["episodes"] == 1
            reason = "one game has none" if one_game else "greedy games without sticky actions are not independent"
            yield f"{name:<16}- ({reason})"


def scores_sentence(scores: Sequence[float]) -> str:
    """Return the scores of the games that were played to their end."""
    if not scores:
        return "No game was played to its end."
    listed = ", ".join(f"{score:,.0f}" for score in scores)
    return f"{len(scores)} {'game' if len(scores) == 1 else 'games'}, score {listed}"
