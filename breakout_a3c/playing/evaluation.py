"""Plays full games by a fixed protocol: 100 games, chosen beforehand by their seeds and all played out.

The first 100 games to finish would favour short games. Scores are raw. They depend neither on the number of cores
nor on what is played beside a game.
"""

import statistics
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from breakout_a3c.config import GameOptions
from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.games.make import Game, make_environment
from breakout_a3c.games.seeds import action_generator, evaluation_seeds
from breakout_a3c.learning.networks import ActorCritic

# Rows of each batch of an evaluation; so many games at once, at most. Of 1, 4, 8 and 16, this takes the least time for
# games as long as those of published evaluations: 5 to 15% more than batches of just the games that are played.
BATCH_ROWS = 8


@dataclass(frozen=True, slots=True)
class Protocol:
    """The rules of the games for a published score; action set and auto-FIRE are the model's own."""

    episodes: int = 100
    seed: int = 0  # chooses the set of games
    greedy: bool = False
    sticky: float = 0.0  # probability that the emulator repeats the last action
    max_noops: int = 30  # emulator frames
    max_episode_frames: int = 108_000  # emulator frames

    @classmethod
    def trained_for(cls, game: GameOptions, **rules: Any) -> Self:
        """Return the protocol that an agent was trained for: sticky actions and no-ops are those of its training.

        Args:
            game: Of the training.
            **rules: Fields that are otherwise.
        """
        return cls(**({"sticky": game.sticky, "max_noops": game.max_noops} | rules))

    def atari_changes(self) -> dict[str, Any]:
        """Return the arguments of AtariGame that are the protocol's, whatever the agent was trained with."""
        return {
            "sticky": self.sticky,
            "max_noops": self.max_noops,
            "max_episode_frames": self.max_episode_frames,
        }

    def game_seeds(self) -> list[int]:
        """Return one seed a game; they are odd, and those of the training are even."""
        return evaluation_seeds(self.seed, self.episodes)


GameMaker = Callable[[GameOptions, Protocol], Game]


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The scores of an evaluation, in the order of the seeds."""

    protocol: Protocol
    games: list[FinishedGame]
    distinct_games: int  # games whose actions and score differ from all before them

    @property
    def scores(self) -> list[float]:
        """The raw scores."""
        return [game.episode_return for game in self.games]

    @property
    def mean(self) -> float:
        """The mean raw score."""
        return statistics.fmean(self.scores)

    def to_dict(self) -> dict[str, Any]:
        """Return the scores, their statistics and the protocol.

        One game has no standard deviation; only independent games have a standard error.
        """
        scores = self.scores
        std = statistics.stdev(scores) if len(scores) > 1 else None
        protocol = self.protocol
        # Without sticky actions, a greedy policy plays the same few games again and again.
        independent = not protocol.greedy or protocol.sticky > 0
        return {
            "episodes": len(scores),
            "mean": self.mean,
            "std": std,
            "standard_error": std / len(scores) ** 0.5 if independent and std is not None else None,
            "median": statistics.median(scores),
            "min": min(scores),
            "max": max(scores),
            "truncated_games": sum(game.truncated for game in self.games),
            "distinct_games": self.distinct_games,
            "policy": "greedy" if protocol.greedy else "sampled",
            "sticky": protocol.sticky,
            "max_noops": protocol.max_noops,
            "max_episode_frames": protocol.max_episode_frames,
            "seed": protocol.seed,
            "scores": scores,
            "lengths": [game.episode_length for game in self.games],
        }


class FixedBatch:
    """Asks a network about games, such that the answer for a game does not depend on the other games.

    A network with a memory is to be asked about each step of a game, once.

    Kernels of matrix products are chosen by the size of the batch, and some compute its last rows in another order of
    addition. A game would have other last bits of its logits beside other games, and now and then another action. So
    all batches have the same size, and each game has a row of its own, by its number.

    Args:
        network: The policy.
    """

    def __init__(self, network: ActorCritic) -> None:
        self._network = network
        self._observations: NDArray[Any] | None = None  # (BATCH_ROWS, *observation); rows of no game are not read
        self._lstm_state = network.first_lstm_state(BATCH_ROWS)

    def forget(self, row: int) -> None:
        """Begin a game in a row, or a life: nothing is remembered."""
        self._lstm_state[row] = 0.0

    def remembered(self, row: int) -> Tensor:
        """Return what is remembered of the game in a row, ``(S,)``."""
        return self._lstm_state[row]

    def ask(self, observations: Mapping[int, NDArray[Any]]) -> tuple[Tensor, Tensor]:
        """Return the logits ``(B, A)`` and values ``(B,)`` of games, in their order.

        Args:
            observations: One a game, by its row.
        """
        if self._observations is None:
            first = next(iter(observations.values()))
            self._observations = np.zeros((BATCH_ROWS, *first.shape), first.dtype)
        for row, observation in observations.items():
            self._observations[row] = observation
        with torch.no_grad():
            logits, values, _, lstm_state = self._network.act(
                torch.from_numpy(self._observations), lstm_state=self._lstm_state
            )
        rows = list(observations)
        self._lstm_state[rows] = lstm_state[rows]
        return logits[rows], values[rows]


def row_of(number: int) -> int:
    """Return the row of the protocol's game ``number`` in each batch that it is in."""
    return number % BATCH_ROWS


def take_next(numbers: list[int], free_rows: Collection[int]) -> int | None:
    """Remove the first of ``numbers`` whose row is free, and return it; None if there is none."""
    number = next((number for number in numbers if row_of(number) in free_rows), None)
    if number is not None:
        numbers.remove(number)
    return number


def choose_actions(
    logits: NDArray[np.float32], greedy: bool, generators: Sequence[np.random.Generator]
) -> NDArray[np.int64]:
    """Choose one action a game.

    Sampling uses the Gumbel-max trick with the random numbers of each game alone: the other games of the batch
    do not change a game.

    Args:
        logits: ``(B, A)`` float32.
        greedy: Choose the most probable action instead of sampling one.
        generators: One a game; unused if ``greedy``.

    Returns:
        ``(B,)`` int64.
    """
    if greedy:
        noise = np.zeros_like(logits)
    else:
        noise = np.stack([generator.gumbel(size=logits.shape[1]) for generator in generators])
    actions: NDArray[np.int64] = (logits + noise).argmax(axis=1)
    return actions


class PlayedGame(NamedTuple):
    """A game of an evaluation that is over."""

    number: int  # in the protocol
    game: FinishedGame
    actions: bytes  # one byte an agent step


class OngoingGame:
    """A game of an evaluation that is being played; another one can follow in the same environment.

    Args:
        environment: Plays the games, one after another.
        options: The game's.
    """

    def __init__(self, environment: Game, options: GameOptions) -> None:
        self.environment = environment
        self._options = options

    def begin(self, number: int, seed: int) -> None:
        """Start game ``number`` of the protocol, which has this seed."""
        self.number, self.row, self.remembers = number, row_of(number), False
        self.generator = action_generator(seed)
        self.observation: NDArray[Any]
        self.observation, _ = self.environment.reset(seed=seed)
        self._return, self._actions = 0.0, bytearray()

    def step(self, action: int) -> PlayedGame | None:
        """Play one step; return the game when it has ended."""
        self.observation, reward, terminated, truncated, info = self.environment.step(action)
        self.remembers = not ends_episode(info, self._options)
        self._return += float(reward)
        self._actions.append(action)
        if not (terminated or truncated):
            return None
        game = FinishedGame(self._return, len(self._actions), truncated)
        return PlayedGame(self.number, game, bytes(self._actions))


def make_evaluation_environment(options: GameOptions, protocol: Protocol) -> Game:
    """Build the model's own environment under the rules of the evaluation.

    Raises:
        UserError: If there is no such game.
    """
    return make_environment(options, **protocol.atari_changes())


def play_games(
    network: ActorCritic,
    options: GameOptions,
    protocol: Protocol,
    games_at_once: int,
    next_number: Callable[[Collection[int]], int | None],
    make_game: GameMaker = make_evaluation_environment,
) -> Iterator[list[PlayedGame]]:
    """Play games of ``protocol`` in one process.

    Args:
        network: The policy.
        options: Game, actions and auto-FIRE.
        protocol: The rules of the games.
        games_at_once: How many games are played side by side, up to ``BATCH_ROWS``.
        next_number: Takes the rows that are free, and returns the number of the next game in the protocol, or None
            when there are no more games for them.
        make_game: Builds the environment of the games.

    Yields:
        After each agent step, the games that it ended.
    """
    seeds = protocol.game_seeds()
    batch = FixedBatch(network)
    games: list[OngoingGame] = []
    while len(games) < games_at_once and (number := next_number(free_rows(games))) is not None:
        games.append(OngoingGame(make_game(options, protocol), options))
        games[-1].begin(number, seeds[number])
    while games:
        for game in games:
            if not game.remembers:
                batch.forget(game.row)
        logits, _ = batch.ask({game.row: game.observation for game in games})
        actions = choose_actions(logits.numpy(), protocol.greedy, [game.generator for game in games])
        ended = []
        for game, action in zip(list(games), actions.tolist(), strict=True):
            if (played := game.step(action)) is None:
                continue
            ended.append(played)
            others = [other for other in games if other is not game]
            if (number := next_number(free_rows(others))) is None:
                games = others
            else:
                game.begin(number, seeds[number])
        yield ended


def ends_episode(info: Mapping[str, Any], options: GameOptions) -> bool:
    """Return whether a step ended what the learner saw as an episode, by a lost life: memory does not reach over it."""
    return options.terminal_on_life_loss and bool(info.get("life_lost"))


def free_rows(games: Sequence[OngoingGame]) -> set[int]:
    """Return the rows that none of ``games`` has."""
    return set(range(BATCH_ROWS)) - {game.row for game in games}


def evaluate(
    network: ActorCritic, options: GameOptions, protocol: Protocol, on_step: Callable[[], None] = lambda: None
) -> EvaluationResult:
    """Play the games of ``protocol``, several at once in one process.

    Args:
        network: The policy.
        options: Game, actions and auto-FIRE.
        protocol: The games and their rules.
        on_step: Called after each agent step of the batch.
    """
    remaining = list(range(protocol.episodes))
    played: list[PlayedGame] = []
    for ended in play_games(network, options, protocol, BATCH_ROWS, partial(take_next, remaining)):
        played += ended
        on_step()
    return summarise(protocol, played)


def summarise(protocol: Protocol, played: Sequence[PlayedGame]) -> EvaluationResult:
    """Put the games in the order of their seeds, and count the distinct ones."""
    ordered = sorted(played)
    assert [game.number for game in ordered] == list(range(protocol.episodes)), "all games, and each of them once"
    distinct = len({(game.game, game.actions) for game in ordered})
    return EvaluationResult(protocol, [game.game for game in ordered], distinct)
