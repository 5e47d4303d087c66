"""Atari games as gymnasium environments: raw rewards, raw game ends.

Facts about the emulator that shape this file: Breakout serves a ball only on FIRE, so a policy that
never fires stalls. After 65,535 frames it serves none at all. The emulator's own random numbers serve its
sticky actions alone, and are not used.
"""

import atexit
import functools
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import ale_py
import cv2
import gymnasium
import numpy as np
from ale_py import Action
from gymnasium.spaces import Box, Discrete

from breakout_a3c.config import MIRRORED_GAMES, Actions
from breakout_a3c.games.emulators import take_emulator
from breakout_a3c.games.preprocessing import LAST, PREVIOUS, SIDE, STACK, Bytes, FramePreprocessor
from breakout_a3c.games.state import GameState, random_state, restore_random_state

cv2.setNumThreads(0)  # a pool of threads for an 84x84 picture costs more than it gives

# FIRE stands for "stay": it does nothing while the ball flies, and without NOOP no policy can stall.
REDUCED_ACTIONS = {"breakout": (Action.FIRE, Action.RIGHT, Action.LEFT)}
MIRROR = {"LEFT": "RIGHT", "RIGHT": "LEFT"}  # words in the names of actions, such as UPLEFT
# A game's states after 0, 1, 2, ... frames of NOOP; see AtariGame._start_after.
STARTS: dict[str, list[ale_py.ALEState]] = defaultdict(list)

atexit.register(STARTS.clear)  # or the emulator's binding lists what it calls leaked, on stderr


@functools.cache
def first_screens(game: str) -> Bytes:
    """Return the screens of the first four seconds of a game that nobody plays, ``(61, 84, 84)``."""
    environment = AtariGame(game, seed=0, max_noops=0, sticky=0.0)
    screens = [environment.reset()[0][..., -1].copy()]
    screens += [environment.step(0)[0][..., -1].copy() for _ in range(60)]
    return np.stack(screens)


def commonest_gray(game: str) -> int:
    """Return the gray, 0 to 255, that most pixels have in a game's first seconds.

    Its very first screens may be of another colour.
    """
    return int(np.bincount(first_screens(game).ravel(), minlength=256).argmax())


def usual_screen(game: str) -> Bytes:
    """Return the median of each pixel in a game's first seconds, ``(84, 84)``: what moves is not in it."""
    screen: Bytes = np.median(first_screens(game), axis=0).astype(np.uint8)
    return screen


def mirror_of(action_names: Sequence[str]) -> tuple[int, ...]:
    """Return, for each action, the index of the one that does the same in the mirrored game."""
    mirrored = (re.sub("LEFT|RIGHT", lambda word: MIRROR[word[0]], name) for name in action_names)
    return tuple(list(action_names).index(name) for name in mirrored)


def fire_frames(sticky: float) -> int:
    """Return for how many frames FIRE is pressed, so that the emulator misses it once in a million lives."""
    chance_to_miss = 1e-6
    return math.ceil(math.log(chance_to_miss) / math.log(sticky)) if 0 < sticky < 1 else 1


class AtariGame(gymnasium.Env[Bytes, int]):
    """One Atari game, seen as the last four frames.

    ``step`` returns the raw reward, and ``terminated`` only when the game is over;
    ``info["life_lost"]`` is true when a life was lost. ``info["lives"]`` and ``info["frames"]`` (emulator
    frames of this game) are there, too.

    Args:
        game: Name of the ROM, such as ``breakout``.
        seed: Of the emulator and of the number of no-op frames; None for a random one.
        actions: ``reduced``, ``minimal`` or ``full``.
        frame_skip: Emulator frames per step.
        max_noops: A game starts with 1 to this many frames of NOOP; 0 for none.
        sticky: Probability that the emulator repeats the previous action.
        auto_fire: Press FIRE for each new life, as one extra frame, or as many as it takes where
            actions stick.
        refill_on_life_loss: Begin a fresh stack of frames with each life.
        max_episode_frames: Emulator frames after which the game is truncated.
        render_mode: ``rgb_array``, or None.

    Raises:
        UserError: If ale-py has no such game for one player.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}
    frames_per_second = 60

    def __init__(
        self,
        game: str = "breakout",
        *,
        seed: int | None = None,
        actions: Actions = "reduced",
        frame_skip: int = 4,
        max_noops: int = 30,
        sticky: float = 0.0,
        auto_fire: bool = True,
        refill_on_life_loss: bool = True,
        max_episode_frames: int = 108_000,
        render_mode: str | None = "rgb_array",
    ) -> None:
        self.ale = take_emulator(game)
        self.name = game
        # Actions stick here, as the emulator's state does not tell which one it last took.
        self.sticky = sticky
        self._last_action = Action.NOOP
        self._seed(seed)
        minimal = tuple(self.ale.getMinimalActionSet())
        sets = {
            "reduced": REDUCED_ACTIONS.get(game, minimal),
            "minimal": minimal,
            "full": tuple(self.ale.getLegalActionSet()),
        }
        self.actions = list(sets[actions])
        self.action_names = tuple(action.name for action in self.actions)
        self.mirrored_actions = mirror_of(self.action_names) if game in MIRRORED_GAMES else None
        self.action_space: Discrete[Any] = Discrete(len(self.actions))
        self.observation_space = Box(0, 255, (SIDE, SIDE, STACK), np.uint8)
        self.render_mode = render_mode
        self._frame_skip = frame_skip
        self._max_noops = max_noops
        self._fires = auto_fire and Action.FIRE in minimal
        self._refill_on_life_loss = refill_on_life_loss
        self._max_episode_frames = max_episode_frames
        self._preprocessor = FramePreprocessor(self.ale)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Bytes, dict[str, Any]]:
        """Start a new game, after its no-op frames and the first FIRE."""
        if seed is not None:
            self._seed(seed)
        if self._max_noops:
            self._start_after(int(self.np_random.integers(1, self._max_noops + 1)))
        else:
            self.ale.reset_game()
        self._serve()
        self._begin_stack()
        return self._preprocessor.observation(), self._info(life_lost=False)

    def get_action_meanings(self) -> list[str]:
        """Return what the actions do, as gymnasium's own Atari games are asked."""
        return list(self.action_names)

    def _start_after(self, noops: int) -> None:
        """Start a game with so many frames of NOOP; what was emulated once is restored.

        A start costs 5 ms, and a beginner's games are short: restored, it costs 30 us.
        """
        starts = STARTS[self.name]
        if not starts:
            self.ale.reset_game()
            starts.append(self.ale.cloneState())
        elif len(starts) < noops:
            self.ale.restoreState(starts[-1])
        while len(starts) < noops:
            self.ale.act(Action.NOOP)
            starts.append(self.ale.cloneState())
        self.ale.restoreState(starts[noops - 1])
        self._last_action = Action.NOOP
        self.ale.act(Action.NOOP)  # draws the screen, which is no part of the state

    def _seed(self, seed: int | None) -> None:
        """Begin new random numbers."""
        super().reset(seed=seed)
        self.np_random.integers(2**31)  # once the emulator's own seed: the games of a seed stay what they were

    def step(self, action: int) -> tuple[Bytes, float, bool, bool, dict[str, Any]]:
        """Repeat ``action`` for ``frame_skip`` frames."""
        lives = self.ale.lives()
        reward = self._act(self.actions[action])
        terminated = self.ale.game_over(with_truncation=False)
        life_lost = self.ale.lives() < lives
        if life_lost and self._fires and not terminated:
            reward += self._serve()
            self._preprocessor.see(LAST)
        if life_lost and self._refill_on_life_loss:
            self._begin_stack()
        else:
            self._preprocessor.push()
        truncated = not terminated and self.ale.getEpisodeFrameNumber() >= self._max_episode_frames
        return self._preprocessor.observation(), reward, terminated, truncated, self._info(life_lost)

    def _act(self, action: Action) -> float:
        """Play one step's frames, keep the last two screens, and return the sum of their rewards."""
        ale = self.ale
        emulate = self._act_or_repeat if self.sticky else ale.act
        reward = 0.0
        for frames_left in range(self._frame_skip - 1, -1, -1):
            reward += emulate(action)
            if ale.game_over(with_truncation=False):
                break
            if frames_left == 1:
                self._preprocessor.see(PREVIOUS)
            elif frames_left == 0:
                self._preprocessor.see(LAST)
        return reward

    def _serve(self) -> float:
        """Press FIRE for a new life, if that is wanted, and return the reward of these frames."""
        frames = fire_frames(self.sticky) if self._fires else 0
        return float(sum(self._act_or_repeat(Action.FIRE) for _ in range(frames)))

    def _act_or_repeat(self, action: Action) -> int:
        """Emulate a frame with ``action``, or with the last one where it sticks (Machado et al. 2018, section 5.2)."""
        if not self.sticky or self.np_random.random() >= self.sticky:
            self._last_action = action
        reward: int = self.ale.act(self._last_action)
        return reward

    def _begin_stack(self) -> None:
        self._preprocessor.see(LAST)
        self._preprocessor.refill()

    def _info(self, life_lost: bool) -> dict[str, Any]:
        return {
            "life_lost": life_lost,
            "lives": self.ale.lives(),
            "frames": self.ale.getEpisodeFrameNumber(),
        }

    def state(self) -> GameState:
        """Return where this game stands between two steps."""
        return {
            "emulator": np.frombuffer(self.ale.cloneState().serialize(), np.uint8),
            "last_action": np.array([self._last_action.value]),
            "observation": self._preprocessor.observation(),
            "random": random_state(self),
        }

    def restore(self, state: GameState) -> Bytes:
        """Go on exactly from ``state``, of the same game; return the observation to act on."""
        self.ale.restoreState(ale_py.ALEState(state["emulator"].tobytes()))
        self._last_action = Action(int(state["last_action"][0])) if "last_action" in state else Action.NOOP
        self._preprocessor.restore(state["observation"])
        restore_random_state(self, state["random"])
        return self._preprocessor.observation()

    def render(self) -> Bytes:
        """Return the emulator's screen, ``(H, 160, 3)`` RGB; H is 210 in most games, at most 250."""
        return self.ale.getScreenRGB()
