"""The protocol: games chosen by their seeds and all played out, no matter which games are in the same batch."""

import math
from collections import deque
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from breakout_a3c.config import GAMES_PER_SEED, PROTOCOL_SEEDS
from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.games.make import make_environment
from breakout_a3c.games.seeds import action_generator, training_seeds
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.playing.evaluation import (
    BATCH_ROWS,
    EvaluationResult,
    FixedBatch,
    PlayedGame,
    Protocol,
    choose_actions,
    evaluate,
    play_games,
    summarise,
    take_next,
)
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.agent import build_agent, load_agent

GAME = PRESETS["breakout"].game
CARTPOLE_GAME = PRESETS["cartpole"].game
EPISODES = 6
MODEL = Path(__file__).resolve().parents[2] / "models" / "breakout.safetensors"


def make_network() -> ActorCritic:
    torch.manual_seed(0)
    return ActorCritic("paper", (84, 84, 4), 3)


@cache
def sampled() -> EvaluationResult:
    return evaluate(make_network(), GAME, Protocol(episodes=EPISODES))


@cache
def greedy() -> EvaluationResult:
    return evaluate(make_network(), GAME, Protocol(episodes=10, greedy=True))


def test_seeds_are_odd_and_distinct_and_the_emulator_can_hold_them() -> None:
    seeds = [seed for number in (0, 1, 2, PROTOCOL_SEEDS) for seed in Protocol(seed=number).game_seeds()]
    assert len(set(seeds)) == len(seeds) == 400
    assert all(seed % 2 == 1 and 0 < seed < 2**31 for seed in seeds)


def test_seeds_are_disjoint_from_training() -> None:
    training = {seed for run in range(50) for seed in training_seeds(np.random.SeedSequence(run), 1000)}
    assert not training & set(Protocol(episodes=GAMES_PER_SEED).game_seeds())


class NetworkOfAnyCpu(ActorCritic):
    """Its logits depend on the size of the batch and on a game's row, as they may by a kernel of matrix products."""

    def act(self, *arguments: Any, **named: Any) -> Any:
        logits, *rest = super().act(*arguments, **named)
        rows = torch.arange(len(logits))[:, None] + 100 * len(logits)
        return logits + torch.sin(rows * torch.arange(1, 1 + logits.shape[1])), *rest


def play_by(players: int, games_at_once: int, network: ActorCritic, protocol: Protocol) -> EvaluationResult:
    """Play CartPole's games of a protocol by several players, who take turns after each step."""
    remaining = list(range(protocol.episodes))
    played: list[PlayedGame] = []
    turns = deque(
        play_games(network, CARTPOLE_GAME, protocol, games_at_once, partial(take_next, remaining))
        for _ in range(players)
    )
    while turns:
        player = turns.popleft()
        with suppress(StopIteration):
            played += next(player)
            turns.append(player)
    return summarise(protocol, played)


@pytest.mark.parametrize(("players", "games_at_once"), [(1, 1), (1, 5), (2, 8), (3, 2), (12, 2), (12, 8)])
def test_the_games_do_not_depend_on_what_is_played_beside_them(players: int, games_at_once: int) -> None:
    torch.manual_seed(0)
    network, protocol = NetworkOfAnyCpu("mlp", (4,), 2), Protocol(episodes=50)
    expected = evaluate(network, CARTPOLE_GAME, protocol)
    assert expected.distinct_games > 40
    assert play_by(players, games_at_once, network, protocol) == expected


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_logits_of_a_game_are_bit_for_bit_those_that_it_has_alone(precision: torch.dtype) -> None:
    agent = load_agent(MODEL)
    agent = build_agent(agent.checkpoint, MODEL, precision)
    assert agent.precision == precision
    environment = make_environment(agent.checkpoint.config.game)
    observations = {}
    for row in range(BATCH_ROWS):
        environment.reset(seed=row)
        for step in range(10 + row):
            observation, *_ = environment.step((step + row) % 3)
        observations[row] = observation.copy()
    together, values = FixedBatch(agent.network).ask(observations)
    assert len(together.unique(dim=0)) > BATCH_ROWS / 2, "the rows are alike"
    for number in range(1, BATCH_ROWS):
        some = {row: observations[row] for row in range(number)}
        logits, estimates = FixedBatch(agent.network).ask(some)
        assert torch.equal(logits, together[:number])
        assert torch.equal(estimates, values[:number])
        alone, estimate = FixedBatch(agent.network).ask({number: observations[number]})
        assert torch.equal(alone[0], together[number])
        assert estimate == values[number]


def test_games_stand_in_the_order_of_their_seeds() -> None:
    """Each is played here by itself, from its own seed; short ones do not come first."""
    network, games = make_network(), []
    for number, seed in enumerate(Protocol(episodes=3).game_seeds()):
        environment, generator = make_environment(GAME), action_generator(seed)
        observation, _ = environment.reset(seed=seed)
        score, length, terminated = 0.0, 0, False
        while not terminated:
            with torch.no_grad():
                logits = network(torch.from_numpy(observation[np.newaxis]).expand(BATCH_ROWS, -1, -1, -1))[0].numpy()
            action = int(choose_actions(logits[number : number + 1], False, [generator])[0])
            observation, reward, terminated, truncated, _ = environment.step(action)
            score, length = score + float(reward), length + 1
            assert not truncated
        games.append(FinishedGame(score, length, truncated=False))
    assert sampled().games[:3] == games
    assert any(first.episode_length > second.episode_length for first, second in pairwise(games))


def test_more_games_begin_with_the_same_games() -> None:
    assert evaluate(make_network(), GAME, Protocol(episodes=2)).games == sampled().games[:2]


def test_another_seed_has_other_games() -> None:
    assert evaluate(make_network(), GAME, Protocol(episodes=2, seed=1)).games != sampled().games[:2]


def test_every_game_is_played_out_for_its_raw_score() -> None:
    result = sampled()
    assert len(result.games) == EPISODES
    assert not any(game.truncated for game in result.games)
    assert all(game.episode_length > 5 * 20 for game in result.games), "five lives, not one"
    assert all(score == int(score) >= 0 for score in result.scores)
    assert result.distinct_games == EPISODES


def test_on_step_is_called_after_every_step() -> None:
    steps = []
    evaluate(make_network(), GAME, Protocol(episodes=2), lambda: steps.append(1))
    assert len(steps) == max(game.episode_length for game in sampled().games[:2])


def test_greedy_without_sticky_plays_few_games_and_has_no_standard_error() -> None:
    result = greedy()
    assert len(result.games) == 10
    assert 1 <= result.distinct_games < 10
    assert result.to_dict()["standard_error"] is None
    assert result.to_dict()["policy"] == "greedy"


def test_a_game_is_truncated_at_the_cap_and_counted() -> None:
    result = evaluate(make_network(), GAME, Protocol(episodes=2, max_episode_frames=100))
    assert result.to_dict()["truncated_games"] == 2
    assert max(result.to_dict()["lengths"]) <= 25


def test_the_cap_and_stickiness_are_the_protocols_not_the_trainings() -> None:
    options = replace(GAME, max_episode_frames=100, max_noops=0, sticky=1.0)
    assert evaluate(make_network(), options, Protocol(episodes=2)).games == sampled().games[:2]
    sticky = evaluate(make_network(), GAME, Protocol(episodes=2, sticky=0.25))
    assert sticky.games != sampled().games[:2]


SCORES = [2.0, 4.0, 4.0, 10.0]


def make_result(**changes: float) -> EvaluationResult:
    protocol = replace(Protocol(episodes=4, seed=3), **changes)
    games = [FinishedGame(score, 100 + i, truncated=i == 3) for i, score in enumerate(SCORES)]
    return EvaluationResult(protocol, games, distinct_games=2)


def test_arithmetic_by_hand() -> None:
    report = make_result().to_dict()
    # Mean 5; squared deviations 9 + 1 + 1 + 25 = 36, over 3.
    assert (report["mean"], report["median"], report["min"], report["max"]) == (5.0, 4.0, 2.0, 10.0)
    assert report["std"] == pytest.approx(math.sqrt(12))
    assert report["standard_error"] == pytest.approx(math.sqrt(12) / 2)
    assert (report["episodes"], report["truncated_games"], report["distinct_games"]) == (4, 1, 2)
    assert (report["scores"], report["lengths"]) == (SCORES, [100, 101, 102, 103])
    assert (report["policy"], report["sticky"], report["max_noops"]) == ("sampled", 0.0, 30)
    assert (report["max_episode_frames"], report["seed"]) == (108_000, 3)


@pytest.mark.parametrize(
    ("greedy", "sticky", "independent"),
    [(False, 0.0, True), (False, 0.25, True), (True, 0.25, True), (True, 0.0, False)],
)
def test_only_independent_games_have_a_standard_error(greedy: bool, sticky: float, independent: bool) -> None:
    report = make_result(greedy=greedy, sticky=sticky).to_dict()
    assert (report["standard_error"] is not None) == independent


@pytest.mark.parametrize("greedy", [False, True])
def test_a_single_game_has_no_spread(greedy: bool) -> None:
    report = EvaluationResult(Protocol(episodes=1, greedy=greedy), [FinishedGame(7.0, 50, False)], 1).to_dict()
    assert (report["std"], report["standard_error"]) == (None, None)
    assert [report[name] for name in ("mean", "median", "min", "max")] == [7.0] * 4


def test_sampled_actions_follow_the_softmax() -> None:
    logits = np.log(np.array([[0.6, 0.3, 0.1]], np.float32))
    generator = np.random.default_rng(0)
    draws = [int(choose_actions(logits, False, [generator])[0]) for _ in range(20_000)]
    # Four standard deviations of a frequency are at most 0.014.
    assert np.bincount(draws) / 20_000 == pytest.approx([0.6, 0.3, 0.1], abs=0.014)


def test_greedy_actions_are_the_likeliest_of_each_row() -> None:
    logits = np.array([[0.0, 2.0, 1.0], [5.0, -1.0, 4.0]], np.float32)
    assert choose_actions(logits, True, []).tolist() == [1, 0]
