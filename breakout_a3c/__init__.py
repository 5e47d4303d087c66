"""A3C for Atari Breakout: preprocessing, actor-critic, asynchronous actor-learners.

For programs of your own: what ``__all__`` names, and what that takes and returns. docs/library.md shows each. That is
all that is public. What else there is may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from breakout_a3c.config import TrainConfig
    from breakout_a3c.errors import UserError
    from breakout_a3c.extensions import load_extension
    from breakout_a3c.library.agents import Policy, TrainedAgent, load_agent
    from breakout_a3c.library.environments import register_environments
    from breakout_a3c.library.registration import register_game, register_network, register_reward_rule
    from breakout_a3c.library.trainings import train
    from breakout_a3c.presets import PRESETS
    from breakout_a3c.saving.model_names import published_models
    from breakout_a3c.training.status import TrainingStatus

# Each is imported when it is asked for, as torch takes two seconds.
_HOMES = {
    "PRESETS": "presets",
    "Policy": "library.agents",
    "TrainConfig": "config",
    "TrainedAgent": "library.agents",
    "TrainingStatus": "training.status",
    "UserError": "errors",
    "load_agent": "library.agents",
    "load_extension": "extensions",
    "published_models": "saving.model_names",
    "register_environments": "library.environments",
    "register_game": "library.registration",
    "register_network": "library.registration",
    "register_reward_rule": "library.registration",
    "train": "library.trainings",
}
__all__ = [
    "PRESETS",
    "Policy",
    "TrainConfig",
    "TrainedAgent",
    "TrainingStatus",
    "UserError",
    "load_agent",
    "load_extension",
    "published_models",
    "register_environments",
    "register_game",
    "register_network",
    "register_reward_rule",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> "list[str]":
    """Return the public names, beside the module's own."""
    return sorted(set(__all__) | globals().keys())
