"""A folder that a model hub takes as it is: weights, settings, a card with the hub's metadata, and a replay."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from breakout_a3c.saving.checkpoints import Checkpoint

WEIGHTS, SETTINGS, CARD, REPLAY = "model.safetensors", "config.json", "README.md", "replay.mp4"
LIBRARY = "breakout-a3c"


def metadata(checkpoint: Checkpoint, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a hub reads of a card: library, tags, and the score as mean and standard deviation."""
    game = environment_name(checkpoint.config.game.name)
    result = {
        "task": {"type": "reinforcement-learning", "name": "reinforcement-learning"},
        "dataset": {"name": game, "type": game},
        "metrics": [
            {
                "type": "mean_reward",
                "name": "mean_reward",
                "value": f"{evaluation['mean']:.2f} +/- {evaluation['std'] or 0:.2f}",
                "verified": False,
            }
        ],
    }
    return {
        "library_name": LIBRARY,
        "license": "mit",
        "pipeline_tag": "reinforcement-learning",
        "tags": ["reinforcement-learning", "deep-reinforcement-learning", "atari", "a3c", game],
        "model-index": [{"name": "A3C", "results": [result]}],
    }


def environment_name(game: str) -> str:
    """Return the name under which a hub lists a game, such as ``BreakoutNoFrameskip-v4``."""
    if game == "cartpole":
        return "CartPole-v1"
    return "".join(word.capitalize() for word in game.split("_")) + "NoFrameskip-v4"


def card(checkpoint: Checkpoint, evaluation: Mapping[str, Any]) -> str:
    """Return the card: the metadata as YAML, of which JSON is a part, and what a person wants to know."""
    game = checkpoint.config.game.name
    rules = f"{evaluation['episodes']} whole games, {evaluation['policy']}"
    if evaluation["sticky"] is not None:  # of an Atari game
        rules += (
            f", sticky actions {evaluation['sticky']:g}, up to {evaluation['max_noops']} no-ops, at most "
            f"{evaluation['max_episode_frames']:,} frames"
        )
    lines = [f"{name}: {json.dumps(value)}" for name, value in metadata(checkpoint, evaluation).items()]
    return "\n".join(
        [
            "---",
            *lines,
            "---",
            "",
            f"# A3C that plays {game.replace('_', ' ')}",
            "",
            f"Mean score **{evaluation['mean']:.1f}**, standard deviation {evaluation['std'] or 0:.1f}: {rules}.",
            "",
            f"Trained for {checkpoint.steps:,} agent steps ({checkpoint.minutes:.0f} minutes) by",
            "",
            f"    {checkpoint.command}",
            "",
            f"of breakout-a3c, commit {checkpoint.versions.get('commit', 'unknown')}. `{SETTINGS}` has all settings.",
            "",
            "```python",
            "import breakout_a3c",
            "",
            f'agent = breakout_a3c.load_agent("{WEIGHTS}")',
            "print(agent.play_in(agent.make_environment()))",
            "```",
            "",
        ]
    )


def write_hub_folder(model: Path, checkpoint: Checkpoint, evaluation: Mapping[str, Any], folder: Path) -> None:
    """Write all but the replay into a folder, which is made where it is missing.

    Args:
        model: The published weights.
        checkpoint: What it holds.
        evaluation: What ``play.py --json`` printed of it.
        folder: Where to.

    Raises:
        OSError: If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(model, folder / WEIGHTS)
    (folder / SETTINGS).write_text(json.dumps(checkpoint.config.to_dict(), indent=1) + "\n")
    (folder / CARD).write_text(card(checkpoint, evaluation))
