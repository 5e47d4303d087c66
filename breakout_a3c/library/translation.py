"""Other people's environments: how their observations become ours, and our actions theirs.

What would be played wrongly without a word is refused: a screen of another shape, frames that are skipped twice,
actions of which one is missing.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from breakout_a3c.config import CARTPOLE, GameOptions
from breakout_a3c.errors import UserError
from breakout_a3c.games.names import near_names

ADVICE = "AtariPreprocessing and FrameStackObservation(environment, 4) make such observations"


def observations_for(shape: tuple[int, ...], found: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Return observations as a batch ``(B, *shape)`` as the network reads them, and whether they were a batch.

    Args:
        shape: That the network was trained on: ``(84, 84, 4)``, or one vector's.
        found: Of that shape or with the frames first, alone or in a batch.

    Raises:
        UserError: If they have another shape or type.
    """
    is_batch = found.ndim == len(shape) + 1
    batch = found if is_batch else found[np.newaxis]
    if len(shape) == 1:
        if batch.shape[1:] != shape:
            raise UserError(f"an observation has the shape {found.shape}, and the agent needs {shape}.")
        return np.ascontiguousarray(batch, np.float32), is_batch
    frames_first = (shape[-1], *shape[:-1])
    if batch.shape[1:] not in (shape, frames_first):
        raise UserError(wrong_shape(found.shape, shape))
    if batch.dtype != np.uint8:
        raise UserError(f"pixels are {batch.dtype}, and the agent needs uint8 from 0 to 255: leave out scale_obs.")
    if batch.shape[1:] == frames_first:
        batch = batch.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(batch), is_batch


def wrong_shape(found: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Return the sentence for a screen of another shape, with what probably caused it."""
    needed = f"an observation has the shape {found}, and the agent needs the last four gray frames, {shape}"
    if found[-1:] == (3,):
        return f"{needed}: turn the screen to gray; {ADVICE}."
    if found[-3:] == (*shape[:-1], 1) or found[-1:] == (1,):
        return f"{needed}: leave out grayscale_newaxis; {ADVICE}."
    if found[-2:] == shape[:-1]:
        return f"{needed}: stack four frames; {ADVICE}."
    return f"{needed}: {ADVICE}."


class Translation:
    """Between an agent and an environment that is not ours.

    Args:
        environment: Of gymnasium, one or a vector of them, or a vector of Stable-Baselines3.
        options: The game that the agent was trained on.
        shape: Of one observation, as the network reads it.
        action_names: What the agent's actions do.

    Raises:
        UserError: If it is another game, or one that would be played wrongly without a word.
    """

    def __init__(
        self, environment: Any, options: GameOptions, shape: tuple[int, ...], action_names: Sequence[str]
    ) -> None:
        self._environment = environment
        self._shape = shape
        self.is_vector = hasattr(environment, "num_envs")
        self._is_sb3 = hasattr(environment, "step_wait") and hasattr(environment, "env_method")
        if options.is_atari or options.name == CARTPOLE:
            self._require_game(options.name)
        self._require_frame_skip(options)
        space = getattr(environment, "single_observation_space", None) or environment.observation_space
        observations_for(shape, np.zeros(space.shape, space.dtype))
        self._actions = np.array(self._actions_for(action_names, options))

    def observations(self, found: Any) -> NDArray[Any]:
        """Return the environment's observations as the agent's network reads them, ``(B, ...)`` for a vector."""
        batch, is_batch = observations_for(self._shape, np.asarray(found))
        return batch if is_batch else batch[0]

    def actions(self, chosen: Any) -> Any:
        """Return what the environment calls the agent's actions: an int, or ``(B,)`` for a vector."""
        translated = self._actions[chosen]
        return translated if translated.ndim else int(translated)

    def require_whole_scores(self) -> None:
        """Raise a UserError if the rewards do not add up to the game's score, or a life's end looks like a game's."""
        for layer in self._layers():
            name = type(layer).__name__
            if name in ("ClipRewardEnv", "ClipReward", "TransformReward") or self._option(layer, "reward_clipping"):
                raise UserError("the environment clips its rewards, which add up to no score: leave that out.")
            if name == "EpisodicLifeEnv" or self._option(layer, "terminal_on_life_loss", "episodic_life"):
                raise UserError(
                    "the environment ends a game with each life: leave out terminal_on_life_loss or EpisodicLifeEnv."
                )
            if name == "AtariVectorEnv":  # its emulators keep these to themselves
                warnings.warn(
                    "AtariVectorEnv clips rewards unless it is given reward_clipping=False, and does not say so: the "
                    "scores are right only with that, and without episodic_life.",
                    stacklevel=3,
                )

    def play(
        self, act: Callable[[Any], Any], forget: Callable[[Any], None], episodes: int, seed: int | None
    ) -> list[float]:
        """Play so many games to their end; return their scores, in the order in which they ended.

        Args:
            act: Returns the agent's actions for its observations.
            forget: Called after each step with which games, ``(B,)`` bool, begin anew or with another life.
            episodes: How many.
            seed: Of the environment.
        """
        play = self._play_vector if self.is_vector else self._play_one
        scores: list[float] = []
        for score in play(act, forget, seed):
            scores.append(score)
            if len(scores) >= episodes:
                break
        return scores

    def _play_one(self, act: Callable[[Any], Any], forget: Callable[[Any], None], seed: int | None) -> Iterator[float]:
        """Yield the score of each game of one environment."""
        while True:
            observation, info = self._environment.reset(seed=seed)
            seed, score, over, lives = None, 0.0, False, info.get("lives", 0)
            while not over:
                action = self.actions(act(self.observations(observation)))
                observation, reward, terminated, truncated, info = self._environment.step(action)
                score, over = score + float(reward), terminated or truncated
                lives_before, lives = lives, info.get("lives", 0)
                forget(over or lives < lives_before)
            yield score

    def _play_vector(
        self, act: Callable[[Any], Any], forget: Callable[[Any], None], seed: int | None
    ) -> Iterator[float]:
        """Yield the score of each game of a vector, whose games begin anew by themselves."""
        size = self._environment.num_envs
        if self._is_sb3:
            if seed is not None:
                self._environment.seed(seed)
            observations = self._environment.reset()
        else:
            observations, _ = self._environment.reset(seed=seed)
        scores, lives = np.zeros(size), np.zeros(size)
        while True:
            actions = self.actions(act(self.observations(observations)))
            if self._is_sb3:
                observations, rewards, over, infos = self._environment.step(actions)
            else:
                observations, rewards, terminated, truncated, infos = self._environment.step(actions)
                over = np.logical_or(terminated, truncated)
            lives_before, lives = lives, lives_of(infos, size)
            forget(over | (lives < lives_before))
            scores += rewards
            yield from scores[over].tolist()
            scores[over] = 0.0

    def _layers(self) -> Iterator[Any]:
        """Yield the environment and what it wraps, down to the innermost; of a vector those of its first game, too."""
        layer = self._environment
        while layer is not None:
            yield layer
            inner = getattr(layer, "env", None) or getattr(layer, "venv", None)
            if inner is None and getattr(layer, "envs", None):
                inner = layer.envs[0]
            layer = inner

    def _option(self, layer: Any, *names: str) -> bool:
        """Return whether a layer has one of these options turned on."""
        return any(vars(layer).get(name) is True for name in names)

    def _find(self, name: str) -> Any:
        """Return an attribute of the environment or of what it wraps; None where there is none."""
        for layer in self._layers():
            with suppress(Exception):  # a vector's call fails in many ways
                if name in vars(layer) or hasattr(type(layer), name):
                    return getattr(layer, name)
        with suppress(Exception):  # the games of an AsyncVectorEnv are in other processes
            return self._environment.get_attr(name)[0]
        return None

    def _require_game(self, name: str) -> None:
        """Raise a UserError if the environment says that it is another game."""
        spec = self._find("spec")
        called = self._find("_game") or getattr(spec, "kwargs", {}).get("game") or getattr(spec, "id", None)
        if not isinstance(called, str):
            return
        found = CARTPOLE if called.startswith("CartPole") else next(iter(near_names(called)), called)
        if found != name:
            raise UserError(f"the agent was trained on {name}, and the environment is {called}: give one of its own.")

    def _require_frame_skip(self, options: GameOptions) -> None:
        """Raise a UserError if the environment repeats an action for another number of frames."""
        if not options.is_atari:
            return
        skips = [self._find("frame_skip"), self._find("_frameskip")]
        total = int(np.prod([skip for skip in skips if isinstance(skip, int)]))
        if any(isinstance(skip, int) for skip in skips) and total != options.frame_skip:
            raise UserError(
                f"the environment repeats an action for {total} frames, and the agent was trained with "
                f"{options.frame_skip}: give gymnasium.make frameskip=1, and AtariPreprocessing "
                f"frame_skip={options.frame_skip}."
            )

    def _actions_for(self, action_names: Sequence[str], options: GameOptions) -> list[int]:
        """Return the environment's index of each of the agent's actions."""
        if not options.is_atari:
            return list(range(len(action_names)))
        meanings = self._meanings()
        missing = [name for name in action_names if name not in meanings]
        if missing:
            raise UserError(f"the environment has no action {missing[0]}: give it full_action_space=True.")
        return [meanings.index(name) for name in action_names]

    def _meanings(self) -> list[str]:
        """Return what the environment's actions do."""
        ours = self._find("action_names")
        if ours is not None:
            return list(ours)
        get = self._find("get_action_meanings")
        if callable(get):
            return list(get())
        for call in ("env_method", "call"):  # of vectors whose games are in other processes
            with suppress(Exception):
                return list(getattr(self._environment, call)("get_action_meanings")[0])
        emulator = self._find("ale")
        if emulator is not None:  # of ale_py's own vector
            return [action.name for action in emulator.get_action_set()]
        raise UserError("the environment does not say what its actions do: give it a method get_action_meanings.")


def lives_of(infos: Any, size: int) -> NDArray[Any]:
    """Return the lives that each game of a vector has left, ``(size,)``; zeros where it does not say.

    Args:
        infos: A dictionary of arrays, or of Stable-Baselines3 a list of dictionaries.
        size: How many games there are.
    """
    found = [info.get("lives", 0) for info in infos] if isinstance(infos, Sequence) else infos.get("lives", 0)
    return np.broadcast_to(np.asarray(found), size)
