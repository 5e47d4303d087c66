"""The state of a game between two steps, as plain arrays."""

import json
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from breakout_a3c.games.preprocessing import Bytes

GameState = dict[str, NDArray[Any]]  # all that the rest of a game, and the games after it, depend on


def random_state(environment: gymnasium.Env[Any, Any]) -> Bytes:
    """Return the state of an environment's random numbers, JSON in UTF-8."""
    return np.frombuffer(json.dumps(environment.np_random.bit_generator.state).encode(), np.uint8)


def restore_random_state(environment: gymnasium.Env[Any, Any], state: Bytes) -> None:
    """Go on with the random numbers that ``random_state`` described."""
    environment.np_random.bit_generator.state = json.loads(state.tobytes())
