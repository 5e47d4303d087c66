"""What other people's environments say of themselves: which game, how it is wrapped, what their actions do.

Games in other processes are asked for their spec and for their actions' meanings alone. They end at a question that
they cannot answer, and so nobody asks which attributes they have.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# Options that say for how many frames an action is repeated.
REPEATS = ("frame_skip", "_frame_skip", "frameskip", "_frameskip", "_skip")
# Wrappers whose rewards add up to no score.
WITHOUT_SCORES = ("ClipRewardEnv", "ClipReward", "TransformReward", "NormalizeReward")


class Layer(NamedTuple):
    """An environment, or a wrapper around one."""

    name: str  # of its class
    options: Mapping[str, Any]


class Inspection:
    """What can be known of an environment before it is played.

    Args:
        environment: Of gymnasium, one or a vector of them, or a vector of Stable-Baselines3.

    Attributes:
        layers: From the outermost wrapper to the game; of a vector those of its first game.
    """

    def __init__(self, environment: Any) -> None:
        self._objects = list(wrapped(environment))
        innermost = self._objects[-1]
        self._is_elsewhere = hasattr(innermost, "get_attr")  # a vector whose games are in other processes
        self._spec = innermost.get_attr("spec")[0] if self._is_elsewhere else getattr(innermost, "spec", None)
        self.layers = [Layer(type(layer).__name__, vars(layer)) for layer in self._objects]
        if self._is_elsewhere and self._spec is not None:
            self.layers += layers_of(self._spec)

    def game(self) -> str | None:
        """Return the name of the game as the environment has it; None where it does not say."""
        names = [layer.options.get(name) for layer in self.layers for name in ("_game", "game")]
        names.append(getattr(self._spec, "id", None))
        return next((name for name in names if isinstance(name, str)), None)

    def frames_a_step(self) -> int | tuple[int, int] | None:
        """Return for how many frames an action is repeated, or between which numbers; None where it does not say."""
        repeats = []
        for layer in self.layers:
            found = next((layer.options[name] for name in REPEATS if layer.options.get(name)), None)
            if isinstance(found, tuple):
                return found
            if isinstance(found, int):
                repeats.append(found)
            elif layer.name == "MaxAndSkipEnv":
                return None
        return math.prod(repeats) if repeats else None

    def changes_rewards(self) -> bool:
        """Return whether a layer is known to turn rewards into something that adds up to no score."""
        return any(
            layer.name in WITHOUT_SCORES or is_on(layer, "reward_clipping", "norm_reward") for layer in self.layers
        )

    def ends_with_a_life(self) -> bool:
        """Return whether a layer is known to end an episode where a life is lost."""
        return any(
            layer.name == "EpisodicLifeEnv" or is_on(layer, "terminal_on_life_loss", "episodic_life")
            for layer in self.layers
        )

    def has(self, name: str) -> bool:
        """Return whether a layer is of the class of this name."""
        return any(layer.name == name for layer in self.layers)

    def action_meanings(self) -> list[str] | None:
        """Return what the actions 0, 1, ... do, such as FIRE; None where the environment does not say."""
        for layer in self._objects:
            if hasattr(layer, "get_action_meanings"):
                return list(layer.get_action_meanings())
        innermost = self._objects[-1]
        if self._is_elsewhere:
            ask = getattr(innermost, "env_method", None) or innermost.call
            return list(ask("get_action_meanings")[0])
        if hasattr(innermost, "ale"):  # ale_py's own vector
            return [action.name for action in innermost.ale.get_action_set()]
        return None


def wrapped(environment: Any) -> Iterator[Any]:
    """Yield an environment and what it wraps, to the innermost; of a vector within this process its first game, too."""
    layer = environment
    while layer is not None:
        yield layer
        games = getattr(layer, "envs", None)
        layer = games[0] if games else getattr(layer, "env", None) or getattr(layer, "venv", None)


def layers_of(spec: Any) -> list[Layer]:
    """Return the layers in an EnvSpec, the outermost first; of some wrappers it has the names alone."""
    wrappers = [Layer(wrapper.name, wrapper.kwargs or {}) for wrapper in reversed(spec.additional_wrappers)]
    return [*wrappers, Layer(spec.id, spec.kwargs)]


def is_on(layer: Layer, *names: str) -> bool:
    """Return whether a layer has one of these options turned on."""
    return any(layer.options.get(name) is True for name in names)
