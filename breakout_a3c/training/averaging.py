"""The average of the parameters over the last steps, which plays better than the parameters themselves."""

import math
from typing import Self

import torch
from torch import Tensor

from breakout_a3c.learning.shared_parameters import SharedParameters


class ParameterAverage:
    """An exponential moving average of the shared parameters (Polyak and Juditsky 1992, in steps).

    Updates are noisy and the learning rate keeps them so: each set of parameters lies somewhere around
    the best ones, and their mean lies nearer. The actor-learners never see it.

    Args:
        shared: Holds the parameters.
        steps: Agent steps that it reaches back; 0 for the parameters as they are.
        start: ``(P,)`` of an earlier part of the run; otherwise it begins with the present parameters.
    """

    def __init__(self, shared: SharedParameters, steps: int, start: Tensor | None = None) -> None:
        self._shared = shared
        self._reach = steps
        self._steps = shared.total_steps()
        self.parameters = (shared.parameters if start is None else start).clone()

    @torch.no_grad()
    def follow(self) -> Self:
        """Add the present parameters, weighted by the steps since the last call."""
        steps = self._shared.total_steps()
        weight = 1 - math.exp(-(steps - self._steps) / self._reach) if self._reach else 1.0
        self.parameters.lerp_(self._shared.parameters, weight)
        self._steps = steps
        return self
