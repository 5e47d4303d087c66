"""Other people's environments: how their observations become ours, and our actions theirs.

What would be played wrongly without a word is refused: a screen of another shape, frames that are skipped twice,
actions of which one is missing.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from breakout_a3c.config import CARTPOLE, GameOptions
from breakout_a3c.errors import UserError
from breakout_a3c.games.names import near_names
from breakout_a3c.library.inspection import Inspection

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
        self._inspection = Inspection(environment)
        self.is_vector = hasattr(environment, "num_envs")
        self._is_sb3 = hasattr(environment, "step_wait") and hasattr(environment, "env_method")
        if options.is_atari or options.name == CARTPOLE:
            self._require_game(options.name)
        space = getattr(environment, "single_observation_space", None) or environment.observation_space
        observations_for(shape, np.zeros(space.shape, space.dtype))
        actions = getattr(environment, "single_action_space", None) or environment.action_space
        if not hasattr(actions, "n"):
            raise UserError("the environment's actions have no numbers, and the agent's do: leave out continuous=True.")
        if getattr(environment, "batch_size", 0) not in (0, getattr(environment, "num_envs", 0)):
            raise UserError("the environment answers for some of its games at a time: leave out batch_size.")
        self._actions = np.arange(len(action_names))
        if options.is_atari:
            self._require_frame_skip(options.frame_skip)
            self._actions = np.array(self._actions_for(action_names))

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
        if self._inspection.changes_rewards():
            raise UserError(
                "the environment clips or scales its rewards, which add up to no score then: leave that out "
                "(in Stable-Baselines3 by clip_reward=False)."
            )
        if self._inspection.ends_with_a_life():
            raise UserError("the environment ends a game with each life: give it terminal_on_life_loss=False.")
        if self._inspection.has("AtariVectorEnv"):  # its emulators keep these to themselves
            warnings.warn(
                "AtariVectorEnv does not say which game it plays, and clips rewards unless it is given "
                "reward_clipping=False: the scores are right only with that, and without episodic_life.",
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
        observations = self._reset_vector(seed)
        restarts_late = autoreset_mode(self._environment) is AutoresetMode.NEXT_STEP
        scores, lives, over = np.zeros(size), np.zeros(size), np.zeros(size, bool)
        while True:
            actions = self.actions(act(self.observations(observations)))
            over_before = over
            if self._is_sb3:
                observations, rewards, over, infos = self._environment.step(actions)
            else:
                observations, rewards, terminated, truncated, infos = self._environment.step(actions)
                over = np.logical_or(terminated, truncated)
            lives_before, lives = lives, lives_of(infos, size)
            forget(over | (lives < lives_before) | (restarts_late & over_before))
            scores += rewards
            yield from scores[over].tolist()
            scores[over] = 0.0

    def _reset_vector(self, seed: int | None) -> Any:
        """Begin the games of a vector anew, and return their observations."""
        if not self._is_sb3:
            return self._environment.reset(seed=seed)[0]
        if seed is not None:
            self._environment.seed(seed)
        return self._environment.reset()

    def _require_game(self, name: str) -> None:
        """Raise a UserError if the environment says that it is another game."""
        called = self._inspection.game()
        if called is None:
            return
        found = CARTPOLE if called.startswith("CartPole") else next(iter(near_names(called)), called)
        if found != name:
            raise UserError(f"the agent was trained on {name}, and the environment is {called}: give one of its own.")

    def _require_frame_skip(self, frame_skip: int) -> None:
        """Raise a UserError if the environment repeats an action for another number of frames."""
        found = self._inspection.frames_a_step()
        if found not in (None, frame_skip):
            raise UserError(
                f"the environment repeats an action for {found} frames, and the agent was trained with {frame_skip}: "
                f"give gymnasium.make frameskip=1, and AtariPreprocessing frame_skip={frame_skip}."
            )

    def _actions_for(self, action_names: Sequence[str]) -> list[int]:
        """Return the environment's index of each of the agent's actions."""
        meanings = self._inspection.action_meanings()
        if meanings is None:
            raise UserError("the environment does not say what its actions do: give it a method get_action_meanings.")
        missing = [name for name in action_names if name not in meanings]
        if missing:
            raise UserError(f"the environment has no action {missing[0]}: give it full_action_space=True.")
        return [meanings.index(name) for name in action_names]


def lives_of(infos: Any, size: int) -> NDArray[Any]:
    """Return the lives that each game of a vector has left, ``(size,)``; zeros where it does not say.

    Args:
        infos: A dictionary of arrays, or of Stable-Baselines3 a list of dictionaries.
        size: How many games there are.
    """
    found = [info.get("lives", 0) for info in infos] if isinstance(infos, Sequence) else infos.get("lives", 0)
    return np.broadcast_to(np.asarray(found), size)


def autoreset_mode(environment: Any) -> Any:
    """Return when a vector's games begin anew: in the step that ends them, or in the next one."""
    return (getattr(environment, "metadata", None) or {}).get("autoreset_mode")
