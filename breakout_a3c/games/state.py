"""The state of a game between two steps, as plain arrays."""

import json
import zlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from breakout_a3c.games.preprocessing import Bytes

MAX_UNPACKED = 2**20  # bytes of an array; an observation has 28,224
GameState = dict[str, NDArray[Any]]  # all that the rest of a game, and the games after it, depend on


class HasRandom(Protocol):
    """What draws random numbers, such as an environment."""

    np_random: np.random.Generator


def random_state(owner: HasRandom) -> Bytes:
    """Return the state of random numbers, JSON in UTF-8."""
    return np.frombuffer(json.dumps(owner.np_random.bit_generator.state).encode(), np.uint8)


def restore_random_state(owner: HasRandom, state: Bytes) -> None:
    """Go on with the random numbers that ``random_state`` described."""
    owner.np_random.bit_generator.state = json.loads(state.tobytes())


def pack(values: NDArray[Any]) -> Bytes:
    """Return an array's bytes, compressed."""
    return np.frombuffer(zlib.compress(values.tobytes(), level=1), np.uint8)


def unpack(packed: Bytes, like: NDArray[Any]) -> NDArray[Any]:
    """Return the array that ``pack`` made its bytes of.

    Args:
        packed: What ``pack`` returned.
        like: An array of the same type and of the same shape, or of one dimension and about as long.

    Raises:
        ValueError: If it was none like that.
    """
    unzip = zlib.decompressobj()
    try:
        values = np.frombuffer(unzip.decompress(packed.tobytes(), MAX_UNPACKED), like.dtype)
    except zlib.error as error:
        raise ValueError("packed bytes are damaged") from error
    if unzip.unconsumed_tail:
        raise ValueError("packed bytes are too many")
    return values.copy() if like.ndim == 1 else values.reshape(like.shape).copy()


def with_prefix(prefix: str, state: GameState) -> GameState:
    """Return the arrays under names that begin with ``prefix``."""
    return {f"{prefix}{name}": values for name, values in state.items()}


def part_of(state: GameState, prefix: str) -> GameState:
    """Return the arrays whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): values for name, values in state.items() if name.startswith(prefix)}
