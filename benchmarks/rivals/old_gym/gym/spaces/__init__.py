"""Spaces."""

from gymnasium.spaces import Discrete

from gym.spaces.box import Box

__all__ = ["Box", "Discrete"]
