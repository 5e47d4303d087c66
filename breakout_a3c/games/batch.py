"""A batch of games in step, and the raw scores of those that ended."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.late_starts import LateStarts, Moment
from breakout_a3c.games.learner_view import learner_view
from breakout_a3c.games.make import Game
from breakout_a3c.games.second_chances import SecondChances
from breakout_a3c.games.state import GameState, part_of, random_state, restore_random_state, with_prefix

MAX_COUNT = 2**53  # exact as a float, too
STICKY = 0.25  # the probability of Machado et al. 2018
SECOND_CHANCES, LATE_STARTS = "second_chances/", "late_starts/"  # in the names of a state


class FinishedGame(NamedTuple):
    """A full game, with the raw score that the emulator counted."""

    episode_return: float
    episode_length: int  # agent steps
    truncated: bool
    sticky: bool = False  # one of --sticky-games


class BatchStep(NamedTuple):
    """What one step of the batch brought, ``(B,)`` each, as the learner sees it."""

    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    final_observations: dict[int, NDArray[Any]]  # of the games that were truncated


class GameBatch:
    """Several games that are played in step; one that ended starts again at once.

    Raw scores are counted here, below the learner's view of rewards and lost lives.

    Args:
        config: The learner's view of a step, and which games begin late, have second chances or sticky actions.
        environments: The games, each with a seed of its own.
        threads: How many of them are played at the same time; the emulator leaves Python's lock alone.
        seed: Of the choice of games that begin late, and of lives that are played again.
    """

    def __init__(self, config: TrainConfig, environments: Sequence[Game], threads: int = 1, seed: int = 0) -> None:
        self._options = config.game
        self._environments = environments
        self._returns = [0.0] * len(environments)
        self._lengths = [0] * len(environments)
        self._rewarded_at = [0] * len(environments)  # the length of each game at its last reward
        self._began_late = [False] * len(environments)
        self._sticky_games = 0 if config.game.sticky else int(config.game.sticky_games * len(environments))
        self._sticky = [False] * len(environments)  # of the first ones, those that have begun as sticky games
        self.begin_sticky_games = False  # whether the next starts of the first ones are sticky games
        self._finished: list[FinishedGame] = []
        late = config.game.late_starts
        self._late_starts = LateStarts(late, len(environments), seed) if late else None
        chances = config.game.second_chances
        self._second_chances = SecondChances(chances, len(environments), seed) if chances else None
        self._slices = [range(first, len(environments), threads) for first in range(threads)]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __len__(self) -> int:
        """Return the number of games."""
        return len(self._environments)

    def reset(self) -> NDArray[Any]:
        """Start all games; return their first observations, ``(B, *observation)``."""
        return np.stack([environment.reset()[0] for environment in self._environments])

    def step(self, actions: Sequence[int], observations: NDArray[Any]) -> BatchStep:
        """Play one step of each game.

        Args:
            actions: One a game.
            observations: ``(B, *observation)``, filled with what to act on next.
        """
        size = len(self)
        batch_step = BatchStep(np.empty(size, np.float32), np.empty(size, np.bool_), np.empty(size, np.bool_), {})
        ended: dict[int, bool] = {}  # the games that ended, and whether they were truncated

        def play_slice(games: Iterable[int]) -> None:
            for index in games:
                self._step_game(index, actions[index], observations, batch_step, ended)

        map_slices = self._pool.map if self._pool else map
        for _ in map_slices(play_slice, self._slices):
            pass
        self._give_second_chances(batch_step.terminated, observations, ended)
        for index, truncated in sorted(ended.items()):
            self._finish(index, truncated)
            observations[index] = self._begin(index)
        self._remember()
        return batch_step

    def _give_second_chances(
        self, terminated: NDArray[np.bool_], observations: NDArray[Any], ended: dict[int, bool]
    ) -> None:
        """Put some of the games back that have lost a life, be it the last, but none that stalled."""
        if self._second_chances is None:
            return
        for index in range(len(self._second_chances)):
            if terminated[index] and not ended.get(index) and (moment := self._second_chances.draw(index)):
                ended.pop(index, None)
                observations[index] = self._go_on_from(index, moment)

    def _remember(self) -> None:
        """Remember where the games stand that may go on from there, or others."""
        late, chances = self._late_starts, self._second_chances
        games = len(self) if late else len(chances) if chances else 0
        for index, environment in enumerate(cast(Sequence[AtariGame], self._environments[:games])):
            stands_at = self._returns[index], self._lengths[index]
            if late:
                late.see(index, environment, *stands_at)
            if chances and index < len(chances):
                chances.see(index, environment, *stands_at)

    def _step_game(
        self, index: int, action: int, observations: NDArray[Any], batch_step: BatchStep, ended: dict[int, bool]
    ) -> None:
        """Play one step of game ``index``, and write what it brought to its place."""
        observation, reward, game_over, truncated, info = self._environments[index].step(action)
        self._returns[index] += float(reward)
        self._lengths[index] += 1
        if reward:
            self._rewarded_at[index] = self._lengths[index]
        seen = learner_view(
            float(reward),
            game_over=game_over,
            life_lost=info.get("life_lost", False),
            steps_since_reward=self._lengths[index] - self._rewarded_at[index],
            options=self._options,
        )
        batch_step.rewards[index] = seen.reward
        batch_step.terminated[index] = seen.terminated
        batch_step.truncated[index] = truncated
        if truncated:
            batch_step.final_observations[index] = observation
        observations[index] = observation
        if game_over or truncated or seen.stalled:
            ended[index] = not game_over

    def _finish(self, index: int, truncated: bool) -> None:
        """Count a game that ended, unless it began late or is one of those with second chances."""
        if self._second_chances and index < len(self._second_chances):
            self._second_chances.forget(index)
        elif not self._began_late[index]:
            game = FinishedGame(self._returns[index], self._lengths[index], truncated, self._sticky[index])
            self._finished.append(game)

    def _begin(self, index: int) -> NDArray[Any]:
        """Begin a game; return its first observation."""
        environment = self._environments[index]
        if self.begin_sticky_games and index < self._sticky_games and not self._sticky[index]:
            self._make_sticky(index)
        observation, _ = environment.reset()
        moment = self._late_starts.draw(index) if self._late_starts else None
        self._began_late[index] = moment is not None
        if moment:
            return self._go_on_from(index, moment)
        self._returns[index], self._lengths[index], self._rewarded_at[index] = 0.0, 0, 0
        return observation

    def _make_sticky(self, index: int) -> None:
        """Let actions stick in game ``index``, and in those after it."""
        self._sticky[index] = True
        cast(AtariGame, self._environments[index]).sticky = STICKY

    def _go_on_from(self, index: int, moment: Moment) -> NDArray[Any]:
        """Put game ``index`` where a game stood; return the observation to act on."""
        environment = self._environments[index]
        self._returns[index], self._lengths[index] = moment.episode_return, moment.episode_length
        self._rewarded_at[index] = self._lengths[index]
        random = random_state(environment.unwrapped)
        observation = environment.restore(moment.state)
        restore_random_state(environment.unwrapped, random)  # or the games after it would be the same ones again
        return observation

    def state(self) -> GameState:
        """Return where all games stand between two steps, after ``take_finished``."""
        state = {
            "returns": np.array(self._returns),
            "lengths": np.array(self._lengths),
            "rewarded_at": np.array(self._rewarded_at),
            "began_late": np.array(self._began_late),
            "sticky": np.array(self._sticky),
        }
        for index, environment in enumerate(self._environments):
            state |= with_prefix(f"{index}/", environment.state())
        if self._late_starts:
            state |= with_prefix(LATE_STARTS, self._late_starts.state())
        if self._second_chances:
            state |= with_prefix(SECOND_CHANCES, self._second_chances.state())
        return state

    def restore(self, state: GameState) -> NDArray[Any]:
        """Go on from ``state``; return the observations to act on, ``(B, *observation)``.

        Raises:
            ValueError: If its scores are out of range.
        """
        returns, lengths = state["returns"], state["lengths"]
        if not (np.abs(returns) < MAX_COUNT).all() or not ((lengths >= 0) & (lengths < MAX_COUNT)).all():
            raise ValueError("the games' scores or lengths are out of range")
        self._returns, self._lengths = returns.tolist(), lengths.tolist()
        self._rewarded_at = state.get("rewarded_at", lengths).tolist()
        self._began_late = state.get("began_late", np.zeros(len(self), np.bool_)).tolist()
        sticky = state.get("sticky", np.zeros(len(self), np.bool_)).tolist()
        for index in range(self._sticky_games):
            if sticky[index]:
                self._make_sticky(index)
        observations = [
            environment.restore(part_of(state, f"{index}/")) for index, environment in enumerate(self._environments)
        ]
        if self._late_starts and (remembered := part_of(state, LATE_STARTS)):
            self._late_starts.restore(remembered, self._environments[0].state())
        if self._second_chances and (remembered := part_of(state, SECOND_CHANCES)):
            self._second_chances.restore(remembered, cast(Sequence[AtariGame], self._environments))
        return np.stack(observations)

    def take_finished(self) -> list[FinishedGame]:
        """Return the games that ended since the last call."""
        finished, self._finished = self._finished, []
        return finished
