"""Settings of older versions, as the present one understands them."""

from typing import Any

from breakout_a3c.config import MIRRORED_GAMES, SETTINGS, TrainConfig
from breakout_a3c.errors import UserError

# The old name of a setting, and the new one.
RENAMED = {"rmsprop_alpha": "square_decay", "rmsprop_eps": "optimizer_eps", "envs_per_thread": "envs"}
RETIRED_TABLE = "experiments"  # of a configuration's file; it had settings of today
# What came later than the first checkpoints, as these were trained.
ADDED_LATER = {
    "symmetric": False,
    "max_kl": None,
    "max_value_change": None,
    "max_staleness": None,
    "warmup_updates": 0,
    "background": "black",
    "second_chances": 0.0,
    "sticky_games": 0.0,
    "sticky_games_begin": 0.5,
    "late_starts": 0.0,
    "stall_steps": None,
    "reward_rule": None,
    "learning_rate_power": 1.0,
    "anneal_part": 0.5,
}


def renamed(values: dict[str, Any]) -> dict[str, Any]:
    """Return settings by their present names."""
    values = dict(values)
    if "envs_per_thread" in values and values.get("algorithm") == "a2c":
        del values["envs_per_thread"]  # it was A3C's, and envs was A2C's
    replaced = {RENAMED[old] for old in RENAMED.keys() & values.keys()}
    return {RENAMED.get(name, name): value for name, value in values.items() if name not in replaced}


def from_dict(values: dict[str, Any], source: str) -> TrainConfig:
    """Rebuild a config that ``to_dict`` wrote, of this version or of an older one.

    Args:
        values: Settings by name.
        source: Where they come from, for the message.

    Raises:
        UserError: If a setting is unknown or a value is out of range.
    """
    settings = renamed(ADDED_LATER | values)
    if settings.get("game") not in (None, *MIRRORED_GAMES):
        settings["symmetric"] = False  # older versions had it true there, without effect
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        names = ", ".join(f"{name!r:.50}" for name in unknown[:5])
        raise UserError(f"{source} was written by another version: it has the unknown settings {names}.")
    try:
        return TrainConfig().replace(**settings)
    except UserError as error:
        raise UserError(f"{source} holds settings that cannot be: {error}") from error
