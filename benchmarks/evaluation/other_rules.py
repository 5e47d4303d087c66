"""Atari games whose rules or pictures are not those that an agent was trained with."""

from functools import partial
from typing import Any

import ale_py
import cv2
import numpy as np
from ale_py import Action

from breakout_a3c.config import GameOptions
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.make import atari_settings
from breakout_a3c.games.preprocessing import LAST, PREVIOUS, SIDE, STACK, Bytes
from breakout_a3c.playing.evaluation import GameMaker, Protocol

RANDOM_STEPS = 200


class RandomStarts(AtariGame):
    """An agent takes over after 1 to 200 random agent steps; what these scored does not count."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Bytes, dict[str, Any]]:
        """Start a new game, and play its first steps at random."""
        observation, info = super().reset(seed=seed)
        for _ in range(int(self.np_random.integers(1, RANDOM_STEPS + 1))):
            observation, _, terminated, _, info = self.step(int(self.np_random.integers(len(self.actions))))
            if terminated:
                observation, info = super().reset()
        return observation, info


class MirroredScreen(AtariGame):
    """The agent sees left as right, and moves left for right."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Bytes, dict[str, Any]]:
        """Start a new game."""
        observation, info = super().reset(seed=seed)
        return observation[:, ::-1].copy(), info

    def step(self, action: int) -> tuple[Bytes, float, bool, bool, dict[str, Any]]:
        """Play a step with the mirrored action."""
        assert self.mirrored_actions, f"{self.name} is not its own mirror image"
        observation, *rest = super().step(self.mirrored_actions[action])
        return observation[:, ::-1].copy(), *rest  # type: ignore[return-value]  # mypy does not count what is unpacked


class StackOfZeros(AtariGame):
    """A stack begins with three black frames, as in Stable-Baselines3, and not with four times the first one."""

    def _begin_stack(self) -> None:
        super()._begin_stack()
        stack = self._preprocessor.observation()
        stack[..., : STACK - 1] = 0
        self._preprocessor.restore(stack)


class FireAndRight(AtariGame):
    """A life begins with a step of FIRE and one of RIGHT, as in Stable-Baselines3, and not with one frame of FIRE."""

    def _serve(self) -> float:
        actions = (Action.FIRE, Action.RIGHT) if self._fires else ()
        return float(sum(self._act_or_repeat(action) for action in actions for _ in range(self._frame_skip)))


class GrayAfterMaximum(AtariGame):
    """Two screens' maximum is taken by colour and turned to gray by OpenCV, as in Stable-Baselines3."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._preprocessor = ColourPreprocessor(self.ale)  # type: ignore[assignment]  # the same methods


class ColourPreprocessor:
    """What FramePreprocessor does, by Stable-Baselines3's order: maximum of colours, gray, 84x84.

    Args:
        emulator: What shows the screens.
    """

    def __init__(self, emulator: ale_py.ALEInterface) -> None:
        self._emulator = emulator
        self._screens = [emulator.getScreenRGB()] * 2
        self._stack: Bytes = np.zeros((SIDE, SIDE, STACK), np.uint8)

    def observation(self) -> Bytes:
        """Return a copy of the stack, ``(84, 84, 4)``."""
        return self._stack.copy()

    def see(self, which: int) -> None:
        """Take the screen as the ``PREVIOUS`` or the ``LAST`` one of the next frame."""
        self._screens[which] = self._emulator.getScreenRGB()

    def push(self) -> None:
        """Add the frame of the two screens to the stack."""
        self._stack = np.concatenate((self._stack[..., 1:], self._frame()[..., np.newaxis]), axis=2)

    def refill(self) -> None:
        """Begin a new stack: four times the frame of the last screen alone."""
        self._screens[PREVIOUS] = self._screens[LAST]
        self._stack = np.repeat(self._frame()[..., np.newaxis], STACK, axis=2)

    def restore(self, observation: Bytes) -> None:
        """Go on from a stack."""
        self._stack = observation.copy()

    def _frame(self) -> Bytes:
        gray = cv2.cvtColor(np.maximum(*self._screens), cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def make_game(options: GameOptions, protocol: Protocol, kind: type[AtariGame], **changes: Any) -> AtariGame:
    """Build a game of some kind by the rules of the model and of the protocol, but for ``changes``."""
    return kind(options.name, **(atari_settings(options) | protocol.atari_changes() | changes))


OTHER_RULES: dict[str, GameMaker] = {
    "no-ops alone": partial(make_game, kind=AtariGame),
    "sticky actions 0.25": partial(make_game, kind=AtariGame, sticky=0.25),
    "up to 200 random steps first": partial(make_game, kind=RandomStarts),
    "frame skip 3": partial(make_game, kind=AtariGame, frame_skip=3),
    "frame skip 5": partial(make_game, kind=AtariGame, frame_skip=5),
    "mirrored screen": partial(make_game, kind=MirroredScreen),
    "gray after the maximum": partial(make_game, kind=GrayAfterMaximum),
    "FIRE and RIGHT at a life's start": partial(make_game, kind=FireAndRight),
    "a stack of zeros at first": partial(make_game, kind=StackOfZeros),
}
