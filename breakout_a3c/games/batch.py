"""A batch of games in step, and the raw scores of those that ended."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from breakout_a3c.config import CARTPOLE, TrainConfig
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.late_starts import LateStarts
from breakout_a3c.games.make import Game
from breakout_a3c.games.state import GameState, random_state, restore_random_state

MAX_COUNT = 2**53  # exact as a float, too


class FinishedGame(NamedTuple):
    """A full game, with the raw score that the emulator counted."""

    episode_return: float
    episode_length: int  # agent steps
    truncated: bool


class StepOutcome(NamedTuple):
    """What one step of the batch brought, ``(B,)`` each, as the learner sees it."""

    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    last_observations: dict[int, NDArray[Any]]  # of the games that were truncated


class GameBatch:
    """Several games in step; a finished one starts again at once.

    Raw scores are counted here, below the learner's clipped rewards and life-loss terminals.

    Args:
        config: How rewards and lost lives look to the learner.
        environments: The games, each with a seed of its own.
        threads: How many of them are played at the same time; the emulator leaves Python's lock alone.
        seed: Of the choice of games that begin late.
    """

    def __init__(self, config: TrainConfig, environments: Sequence[Game], threads: int = 1, seed: int = 0) -> None:
        self._config = config
        self._environments = environments
        self._returns = [0.0] * len(environments)
        self._lengths = [0] * len(environments)
        self._rewarded_at = [0] * len(environments)  # the length of each game at its last reward
        self._began_late = [False] * len(environments)
        self._finished: list[FinishedGame] = []
        self._late_starts = LateStarts(config.late_starts, len(environments), seed)
        self._shares = [range(share, len(environments), threads) for share in range(threads)]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __len__(self) -> int:
        """Return the number of games."""
        return len(self._environments)

    def reset(self) -> NDArray[Any]:
        """Start all games; return their first observations, ``(B, *observation)``."""
        return np.stack([environment.reset()[0] for environment in self._environments])

    def step(self, actions: Sequence[int], observations: NDArray[Any]) -> StepOutcome:
        """Play one step of each game.

        Args:
            actions: One a game.
            observations: ``(B, *observation)``, filled with what to act on next.
        """
        size = len(self)
        outcome = StepOutcome(np.empty(size, np.float32), np.empty(size, np.bool_), np.empty(size, np.bool_), {})
        over: dict[int, bool] = {}  # the games that are, and whether they were cut off

        def play_share(games: Iterable[int]) -> None:
            for index in games:
                self._step_game(index, actions[index], observations, outcome, over)

        share_out = self._pool.map if self._pool else map
        for _ in share_out(play_share, self._shares):
            pass
        for index, cut in sorted(over.items()):
            self._finish(index, cut)
            observations[index] = self._begin(index)
        if self._config.late_starts:
            for index, environment in enumerate(cast(Sequence[AtariGame], self._environments)):
                self._late_starts.see(index, environment, self._returns[index], self._lengths[index])
        return outcome

    def _step_game(
        self, index: int, action: int, observations: NDArray[Any], outcome: StepOutcome, over: dict[int, bool]
    ) -> None:
        """Play one step of game ``index``, and write what it brought to its place."""
        config, environment = self._config, self._environments[index]
        observation, reward, game_over, truncated, info = environment.step(action)
        self._returns[index] += float(reward)
        self._lengths[index] += 1
        learners_reward = np.sign(float(reward)) if config.clip_rewards else float(reward)
        if reward:
            self._rewarded_at[index] = self._lengths[index]
        steps_since_reward = self._lengths[index] - self._rewarded_at[index]
        stalled = config.stall_steps is not None and steps_since_reward >= config.stall_steps
        life_lost = info.get("life_lost", False) or stalled
        outcome.rewards[index] = config.reward_scale * (learners_reward - config.life_loss_penalty * life_lost)
        outcome.terminated[index] = game_over or stalled or (config.terminal_on_life_loss and life_lost)
        outcome.truncated[index] = truncated
        if truncated:
            outcome.last_observations[index] = observation
        observations[index] = observation
        if game_over or truncated or stalled:
            over[index] = not game_over

    def _finish(self, index: int, cut: bool) -> None:
        """Take note of a game's end; the score of one that began late would be no score."""
        if not self._began_late[index]:
            self._finished.append(FinishedGame(self._returns[index], self._lengths[index], cut))

    def _begin(self, index: int) -> NDArray[Any]:
        """Begin a game; return its first observation."""
        environment = self._environments[index]
        observation, _ = environment.reset()
        moment = self._late_starts.draw(index)
        self._began_late[index] = moment is not None
        if moment is None:
            self._returns[index], self._lengths[index] = 0.0, 0
        else:
            self._returns[index], self._lengths[index] = moment.episode_return, moment.episode_length
            random = random_state(environment.unwrapped)
            observation = environment.restore(moment.state)
            restore_random_state(environment.unwrapped, random)  # or the games after it would be the same ones again
        self._rewarded_at[index] = self._lengths[index]
        return observation

    def state(self) -> GameState:
        """Return where all games stand between two steps, those that ended having been taken."""
        state = {
            "returns": np.array(self._returns),
            "lengths": np.array(self._lengths),
            "rewarded_at": np.array(self._rewarded_at),
            "began_late": np.array(self._began_late),
        }
        for index, environment in enumerate(self._environments):
            state |= {f"{index}/{name}": values for name, values in environment.state().items()}
        return state

    def restore(self, state: GameState) -> NDArray[Any]:
        """Go on from ``state``; return the observations to act on, ``(B, *observation)``.

        Raises:
            ValueError: If its scores are none that a game can have.
        """
        returns, lengths = state["returns"], state["lengths"]
        if not (np.abs(returns) < MAX_COUNT).all() or not ((lengths >= 0) & (lengths < MAX_COUNT)).all():
            raise ValueError("the games' scores or lengths are none that a game can have")
        self._returns, self._lengths = returns.tolist(), lengths.tolist()
        self._rewarded_at = state.get("rewarded_at", lengths).tolist()
        self._began_late = state.get("began_late", np.zeros(len(self), np.bool_)).tolist()
        observations = []
        for index, environment in enumerate(self._environments):
            prefix = f"{index}/"
            of_game = {name.removeprefix(prefix): values for name, values in state.items() if name.startswith(prefix)}
            observations.append(environment.restore(of_game))
        return np.stack(observations)

    def take_finished(self) -> list[FinishedGame]:
        """Return the games that ended since the last call."""
        finished, self._finished = self._finished, []
        return finished


def game_threads(config: TrainConfig) -> int:
    """Return how many threads play a learner's games: for a2c one a core, but CartPole holds Python's lock."""
    if config.algorithm == "a3c" or config.game == CARTPOLE:
        return 1
    return min(config.threads, config.envs, os.cpu_count() or 1)
