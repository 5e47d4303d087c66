"""Settings of older versions, as the present one understands them."""

from dataclasses import fields
from typing import Any

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError

# What came later than the first checkpoints, as these were trained.
ADDED_LATER = {"symmetric": False, "max_kl": None, "max_value_change": None, "warmup_updates": 0}


def from_dict(values: dict[str, Any], source: str) -> TrainConfig:
    """Rebuild a config that ``to_dict`` wrote; what an older version did not know is off, or has its default.

    Args:
        values: Field names and values.
        source: Where they come from, for the message.

    Raises:
        UserError: If a field is unknown or a value is out of range.
    """
    known = {spec.name for spec in fields(TrainConfig)}
    unknown = sorted(set(values) - known)
    if unknown:
        names = ", ".join(f"{name!r:.50}" for name in unknown[:5])
        raise UserError(f"{source} was written by another version: it has the unknown settings {names}.")
    try:
        return TrainConfig(**(ADDED_LATER | values))
    except UserError as error:
        raise UserError(f"{source} holds settings that cannot be: {error}") from error
