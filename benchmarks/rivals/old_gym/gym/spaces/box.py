"""The space of arrays."""

from typing import Any

import gymnasium
import numpy as np


class Box(gymnasium.spaces.Box):
    """Arrays between two bounds."""

    def __init__(self, low: float, high: float, shape: Any, dtype: Any = np.float32) -> None:
        super().__init__(low, high, tuple(shape), dtype)
