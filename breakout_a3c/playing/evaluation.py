"""Full games by a fixed protocol: 100 games chosen by their seeds beforehand, all played out.

Never the first 100 to finish, which would favour short games. Scores are raw.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from breakout_a3c.config import GameOptions
from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.games.make import Game, make_environment
from breakout_a3c.games.seeds import action_generator, evaluation_seeds
from breakout_a3c.learning.networks import ActorCritic

GAMES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Protocol:
    """How games are played for a published score; action set and auto-FIRE are the model's own."""

    episodes: int = 100
    seed: int = 0  # each has games of its own
    greedy: bool = False
    sticky: float = 0.0
    max_noops: int = 30
    max_episode_frames: int = 108_000

    def game_seeds(self) -> list[int]:
        """Return one seed a game: odd ones, where training has the even ones."""
        return evaluation_seeds(self.seed, self.episodes)


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
        """Return everything that the protocol asks a report to name."""
        scores = self.scores
        std = statistics.stdev(scores) if len(scores) > 1 else 0.0
        protocol = self.protocol
        # Without sticky actions a greedy policy plays the same few games over and over.
        independent = not protocol.greedy or protocol.sticky > 0
        return {
            "episodes": len(scores),
            "mean": self.mean,
            "std": std,
            "standard_error": std / len(scores) ** 0.5 if independent else None,
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


def choose_actions(
    logits: NDArray[np.float32], greedy: bool, generators: Sequence[np.random.Generator]
) -> NDArray[np.int64]:
    """Choose one action a game, ``(B,)``, from logits ``(B, A)`` and each game's own random numbers.

    By the Gumbel-max trick: a game is the same whatever is played beside it.
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
    actions: bytes


class GamePlayer:
    """One environment that plays the games it is given, one after another."""

    def __init__(self, environment: Game) -> None:
        self.environment = environment

    def begin(self, number: int, seed: int) -> None:
        """Start game ``number`` of the evaluation."""
        self.number = number
        self.generator = action_generator(seed)
        self.observation: NDArray[Any]
        self.observation, _ = self.environment.reset(seed=seed)
        self._return, self._actions = 0.0, bytearray()

    def step(self, action: int) -> PlayedGame | None:
        """Play one step; return the game when it has ended."""
        self.observation, reward, terminated, truncated, _ = self.environment.step(action)
        self._return += float(reward)
        self._actions.append(action)
        if not (terminated or truncated):
            return None
        game = FinishedGame(self._return, len(self._actions), truncated)
        return PlayedGame(self.number, game, bytes(self._actions))


def play_games(
    network: ActorCritic, options: GameOptions, protocol: Protocol, at_once: int, take: Callable[[], int | None]
) -> Iterator[list[PlayedGame]]:
    """Play games of ``protocol`` in one process; after each step, yield those that it ended.

    Args:
        network: The policy.
        options: Game, actions and auto-FIRE.
        protocol: How they are played.
        at_once: How many share one forward pass.
        take: Called for each game to play: its number in the protocol, or None when there is no more.
    """
    seeds = protocol.game_seeds()
    players: list[GamePlayer] = []
    while len(players) < at_once and (number := take()) is not None:
        players.append(GamePlayer(make_player_environment(options, protocol)))
        players[-1].begin(number, seeds[number])
    while players:
        observations = torch.from_numpy(np.stack([player.observation for player in players]))
        with torch.no_grad():
            logits = network(observations)[0].numpy()
        actions = choose_actions(logits, protocol.greedy, [player.generator for player in players])
        ended = []
        for player, action in zip(list(players), actions.tolist(), strict=True):
            if (played := player.step(action)) is None:
                continue
            ended.append(played)
            if (number := take()) is None:
                players.remove(player)
            else:
                player.begin(number, seeds[number])
        yield ended


def evaluate(
    network: ActorCritic, options: GameOptions, protocol: Protocol, on_step: Callable[[], None] = lambda: None
) -> EvaluationResult:
    """Play the games of ``protocol``, several at once in one process.

    Args:
        network: The policy.
        options: Game, actions and auto-FIRE.
        protocol: Which games, and how.
        on_step: Called after each step.
    """
    remaining = iter(range(protocol.episodes))
    played: list[PlayedGame] = []
    for ended in play_games(network, options, protocol, GAMES_AT_ONCE, lambda: next(remaining, None)):
        played += ended
        on_step()
    return summarise(protocol, played)


def summarise(protocol: Protocol, played: Sequence[PlayedGame]) -> EvaluationResult:
    """Put the games in the order of their seeds, and count the distinct ones."""
    ordered = sorted(played)
    assert [game.number for game in ordered] == list(range(protocol.episodes)), "all games, and each of them once"
    distinct = len({(game.game, game.actions) for game in ordered})
    return EvaluationResult(protocol, [game.game for game in ordered], distinct)


def make_player_environment(options: GameOptions, protocol: Protocol) -> Game:
    """Build the model's own environment under the rules of the evaluation."""
    return make_environment(
        options,
        sticky=protocol.sticky,
        max_noops=protocol.max_noops,
        max_episode_frames=protocol.max_episode_frames,
    )
