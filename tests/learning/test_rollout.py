"""Rollouts of games whose every step is written down."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.games.make import make_environments
from breakout_a3c.learning import rollout as rollout_module
from breakout_a3c.learning.networks import ActorCritic, make_network
from breakout_a3c.learning.rollout import Rollout, RolloutCollector, game_threads, gumbel_noise
from breakout_a3c.presets import PRESETS
from tests.games.scripted import DEAD, ON, TRUNCATED, ScriptedGame, Step


def make_config(rollout_length: int, **changes: Any) -> TrainConfig:
    return PRESETS["cartpole"].replace(rollout_length=rollout_length, **changes)


def make_policy() -> ActorCritic:
    """Return a network whose values tell observations apart."""
    torch.manual_seed(0)
    network = ActorCritic("mlp", (4,), 2)
    torch.nn.init.normal_(network.heads.policy.weight)
    return network


def value_of(network: ActorCritic, *observation: float) -> float:
    with torch.no_grad():
        return float(network(torch.tensor([observation]))[1])


def collect(config: TrainConfig, *games: ScriptedGame) -> tuple[Rollout, list[FinishedGame], ActorCritic]:
    network = make_policy()
    collector = RolloutCollector(config, games, seed=0)
    return collector.collect(network), collector.take_finished(), network


def near(expected: list[float]) -> Any:
    """Compare values of a batch with values computed alone: another order of the sums."""
    return pytest.approx(expected, abs=1e-5)


def column(tensor: torch.Tensor, game: int = 0) -> list[Any]:
    return tensor[:, game].tolist()


def test_raw_scores_are_counted_below_clipping() -> None:
    game = ScriptedGame(Step(4.0), Step(7.0), Step(-3.0), Step(0.5, terminated=True))
    rollout, finished, _ = collect(make_config(4, clip_rewards=True), game)
    assert column(rollout.rewards) == [1, 1, -1, 1]
    assert finished == [FinishedGame(episode_return=8.5, episode_length=4, truncated=False)]


def test_without_clipping_the_learner_sees_raw_rewards() -> None:
    rollout, _, _ = collect(make_config(2, clip_rewards=False), ScriptedGame(Step(4.0), Step(-0.5, terminated=True)))
    assert column(rollout.rewards) == [4.0, -0.5]


def test_a_lost_life_costs_the_learner_and_not_the_score() -> None:
    game = ScriptedGame(Step(4.0), Step(2.0, life_lost=True), Step(0.0, terminated=True, life_lost=True))
    config = make_config(3, clip_rewards=True, life_loss_penalty=0.5, reward_scale=2.0, terminal_on_life_loss=False)
    rollout, finished, _ = collect(config, game)
    assert column(rollout.rewards) == [2.0, 1.0, -1.0]
    assert finished == [FinishedGame(6.0, 3, truncated=False)]


def test_a_lost_life_ends_the_learners_episode_and_not_the_game() -> None:
    script = Step(1.0), Step(2.0, life_lost=True), Step(3.0), Step(4.0, terminated=True, life_lost=True)
    games = ScriptedGame(*script), ScriptedGame(*script, name=1)
    rollout, finished, network = collect(make_config(4, terminal_on_life_loss=True), *games)
    for game in (0, 1):
        assert column(rollout.ended, game) == [False, True, False, True]
        assert column(rollout.observations, game) == [[game, 0, step, 1] for step in range(4)]
        expected = [value_of(network, game, 0, 1, 1), 0.0, value_of(network, game, 0, 3, 1), 0.0]
        assert column(rollout.next_values, game) == near(expected)
    assert finished == [FinishedGame(10.0, 4, truncated=False)] * 2


def test_a_lost_life_may_be_no_end() -> None:
    game = ScriptedGame(Step(1.0), Step(2.0, life_lost=True), Step(3.0), ON)
    rollout, _, network = collect(make_config(3, terminal_on_life_loss=False), game)
    assert column(rollout.ended) == [False, False, False]
    assert column(rollout.next_values) == near([value_of(network, 0, 0, step, 1) for step in (1, 2, 3)])


def test_a_lost_life_ends_the_rollout_of_a_single_game_but_not_its_score() -> None:
    game = ScriptedGame(Step(1.0), Step(2.0, life_lost=True), Step(3.0), Step(4.0, terminated=True))
    collector, network = RolloutCollector(make_config(5), [game], seed=0), make_policy()
    assert len(collector.collect(network)) == 2
    assert collector.take_finished() == []
    rollout = collector.collect(network)
    assert column(rollout.observations) == [[0, 0, 2, 1], [0, 0, 3, 1]]
    assert collector.take_finished() == [FinishedGame(10.0, 4, truncated=False)]


@pytest.mark.parametrize("others", [0, 1], ids=["one game", "two games"])
def test_a_truncated_game_is_worth_its_own_last_state(others: int) -> None:
    games = [ScriptedGame(ON, TRUNCATED), *(ScriptedGame(*[ON] * 9, name=1) for _ in range(others))]
    rollout, finished, network = collect(make_config(2 + others), *games)
    last, next_games_first = value_of(network, 0, 0, 2, 1), value_of(network, 0, 1, 0, 1)
    assert abs(last - next_games_first) > 0.01
    assert column(rollout.next_values)[:2] == near([value_of(network, 0, 0, 1, 1), last])
    assert column(rollout.ended)[:2] == [False, True]
    assert finished == [FinishedGame(0.0, 2, truncated=True)]


@pytest.mark.parametrize("last", [DEAD, Step(terminated=True, truncated=True), Step(truncated=True, life_lost=True)])
def test_a_terminal_state_is_worth_nothing(last: Step) -> None:
    """That the game is truncated in the step of a death does not bring the dead back."""
    rollout, _, _ = collect(make_config(3), ScriptedGame(ON, last), ScriptedGame(*[ON] * 9, name=1))
    assert column(rollout.next_values)[1] == 0.0
    assert column(rollout.ended) == [False, True, False]


def test_a_rollout_is_bootstrapped_with_the_value_of_the_state_after_it() -> None:
    rollout, _, network = collect(make_config(2), ScriptedGame(*[ON] * 9), ScriptedGame(ON, DEAD, name=1))
    assert column(rollout.next_values, 0) == near([value_of(network, 0, 0, step, 1) for step in (1, 2)])
    assert column(rollout.next_values, 1) == near([value_of(network, 1, 0, 1, 1), 0.0])
    assert column(rollout.values, 1) == near([value_of(network, 1, 0, step, 1) for step in (0, 1)])


def test_the_rollout_of_a_single_game_ends_with_it() -> None:
    collector, network = RolloutCollector(make_config(4), [ScriptedGame(*[ON] * 5, DEAD)], seed=0), make_policy()
    lengths = []
    for _ in range(4):
        rollout = collector.collect(network)
        lengths.append(len(rollout))
        assert all(len(tensor) == len(rollout) for tensor in (rollout.observations, rollout.next_values, rollout.ended))
    assert lengths == [4, 2, 4, 2]


def test_the_rollout_of_several_games_always_has_its_length() -> None:
    games = ScriptedGame(DEAD), ScriptedGame(ON, DEAD, name=1), ScriptedGame(ON, ON, TRUNCATED, name=2)
    collector, network = RolloutCollector(make_config(4), games, seed=0), make_policy()
    rollout = collector.collect(network)
    assert len(rollout) == 12
    assert rollout.actions.shape == (4, 3)
    assert column(rollout.ended, 0) == [True] * 4
    assert column(rollout.ended, 1) == [False, True, False, True]
    assert column(rollout.ended, 2) == [False, False, True, False]
    assert [tuple(state[1:3]) for state in column(rollout.observations, 1)] == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize(("first", "final"), [(2, 6), (6, 2)])
def test_rollouts_of_any_length_of_the_run_follow_one_another(first: int, final: int) -> None:
    games = [ScriptedGame(*[ON] * 40, DEAD, name=name) for name in range(2)]
    collector, network = RolloutCollector(make_config(first, final_rollout_length=final), games, seed=0), make_policy()
    steps = []
    for progress in (0.0, 0.25, 0.5, 1.0, 0.0):
        rollout = collector.collect(network, progress)
        assert len(rollout) == 2 * len(rollout.observations)
        steps += rollout.observations[:, 0, 2].tolist()
    assert steps == list(range(len(steps)))
    assert len(steps) == 2 * first + (first + final) // 2 + 2 * final


def test_observations_and_actions_are_the_ones_acted_on() -> None:
    games = ScriptedGame(*[ON] * 20), ScriptedGame(ON, ON, DEAD, name=1)
    collector, network = RolloutCollector(make_config(5), games, seed=0), make_policy()
    for number in range(2):
        rollout = collector.collect(network)
        assert [state[2] for state in column(rollout.observations)] == [5 * number + step for step in range(5)]
        assert column(rollout.actions) == games[0].actions[-5:]
        assert column(rollout.actions, 1) == games[1].actions[-5:]
        assert column(rollout.values) == near([value_of(network, *state) for state in column(rollout.observations)])


@pytest.mark.parametrize("others", [0, 1], ids=["one game", "two games"])
def test_cached_outputs_are_those_of_the_states_acted_in(others: int) -> None:
    games = [ScriptedGame(ON, ON, DEAD), *(ScriptedGame(*[ON] * 9, name=1) for _ in range(others))]
    rollout, _, network = collect(make_config(5), *games)
    cached = rollout.cached_outputs_of(slice(None))
    (features,) = network.features_from_cache(rollout.observations.flatten(0, 1), cached)
    logits, values = network.replay(rollout.features(network), rollout.lstm_states[0], rollout.ended)
    torch.testing.assert_close(network.heads(features, features), (logits.flatten(0, 1), values.flatten()))
    torch.testing.assert_close(values, rollout.values)
    torch.testing.assert_close(logits, rollout.logits)
    expected, _ = network(rollout.observations.flatten(0, 1))
    torch.testing.assert_close(logits.flatten(0, 1), expected)
    assert len(cached.layers[0]) == len(rollout) == (10 if others else 3)


@pytest.mark.parametrize(("games", "length", "expected"), [(16, 5, [5]), (16, 12, [5, 5, 2]), (1, 200, [80, 80, 40])])
def test_the_parts_of_a_rollout_are_all_of_it_and_none_is_large(games: int, length: int, expected: list[int]) -> None:
    rollout, _, _ = collect(make_config(length), *(ScriptedGame(*[ON] * 300, name=name) for name in range(games)))
    rows = [row for part in rollout.parts() for row in range(length)[part]]
    assert rows == list(range(length))
    assert [part.stop - part.start for part in rollout.parts()] == expected


@pytest.mark.parametrize("lives_end_episodes", [True, False])
def test_a_game_that_stalls_is_over_as_if_its_last_life_were_lost(lives_end_episodes: bool) -> None:
    config = make_config(7, stall_steps=3, life_loss_penalty=1.0, terminal_on_life_loss=lives_end_episodes)
    stalling, other = ScriptedGame(ON, Step(2.0), ON, ON, ON, ON), ScriptedGame(*[Step(1.0)] * 8)
    rollout, finished, _ = collect(config, stalling, other)
    assert column(rollout.rewards) == [0, 2, 0, 0, -1, 0, 2]
    assert column(rollout.ended) == [False] * 4 + [True, False, False]
    assert column(rollout.next_values)[4] == 0
    assert finished == [FinishedGame(episode_return=2.0, episode_length=5, truncated=True)]
    assert stalling.games == 1
    assert other.games == 0
    assert not any(column(rollout.ended, 1))


def test_finished_games_are_handed_out_once() -> None:
    games = ScriptedGame(Step(1.0, terminated=True)), ScriptedGame(Step(2.0), TRUNCATED, name=1)
    collector = RolloutCollector(make_config(2), games, seed=0)
    collector.collect(make_policy())
    one, two = FinishedGame(1.0, 1, truncated=False), FinishedGame(2.0, 2, truncated=True)
    assert sorted(collector.take_finished()) == [one, one, two]
    assert collector.take_finished() == []


def test_a_score_goes_on_over_rollouts() -> None:
    collector = RolloutCollector(make_config(2), [ScriptedGame(*[Step(1.0)] * 4, Step(1.0, terminated=True))], seed=0)
    network = make_policy()
    finished: list[FinishedGame] = []
    for _ in range(6):
        collector.collect(network)
        finished += collector.take_finished()
    assert finished == [FinishedGame(5.0, 5, truncated=False)] * 2


def test_dtypes_and_no_graph() -> None:
    rollout, _, _ = collect(make_config(2), ScriptedGame(*[ON] * 3))
    assert rollout.actions.dtype == torch.int64
    assert rollout.ended.dtype == torch.bool
    assert rollout.rewards.dtype == rollout.values.dtype == rollout.next_values.dtype == torch.float32
    assert not rollout.values.requires_grad
    assert not rollout.next_values.requires_grad


def test_atari_observations_stay_bytes() -> None:
    config = PRESETS["breakout"].replace(rollout_length=2)
    environments = make_environments(config.game, [2, 4])
    rollout = RolloutCollector(config, environments, seed=0).collect(make_network(config.network, environments[0]))
    assert rollout.observations.shape == (2, 2, 84, 84, 4)
    assert rollout.observations.dtype == torch.uint8


def test_actions_follow_the_softmax_of_their_row() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, -3.0], [0.0, 0.0, 0.0]])
    actions = (logits + gumbel_noise((20_000, 3, 3), torch.Generator().manual_seed(0))).argmax(dim=2)
    frequencies = torch.stack([(actions == action).float().mean(dim=0) for action in range(3)], dim=1)
    # Four standard deviations of a frequency are at most 4 * 0.5 / sqrt(20,000) = 0.014.
    torch.testing.assert_close(frequencies, logits.softmax(dim=-1), atol=0.014, rtol=0)


def test_the_policy_is_followed() -> None:
    """The actions of a rollout, over many of them, have the frequencies that the network gives them."""
    games = [ScriptedGame(DEAD, name=name) for name in range(3)]  # so that each acts in one state only
    collector, network = RolloutCollector(make_config(2000), games, seed=0), make_policy()
    rollout = collector.collect(network)
    for game in range(3):
        expected = []
        for state in rollout.observations[:, game].unique(dim=0):
            count = int((rollout.observations[:, game] == state).all(dim=1).sum())
            expected.append(count * network(state.unsqueeze(0))[0].softmax(-1)[0, 1].item())
        assert int(rollout.actions[:, game].sum()) == pytest.approx(sum(expected), abs=4 * 0.5 * 2000**0.5)


@pytest.mark.parametrize("game", ["breakout", "cartpole"])
def test_the_same_seed_gives_the_same_rollout(game: str) -> None:
    config = PRESETS[game].replace(rollout_length=20, precision="float32")

    def rollout_of(action_seed: int, seeds: Sequence[int]) -> Rollout:
        environments = make_environments(config.game, seeds)
        torch.manual_seed(3)
        network = make_network(config.network, environments[0])
        return RolloutCollector(config, environments, action_seed).collect(network)

    first, again = rollout_of(0, [2, 4]), rollout_of(0, [2, 4])
    for name in ("observations", "actions", "rewards", "values", "next_values", "ended"):
        assert torch.equal(getattr(first, name), getattr(again, name)), name
    assert not torch.equal(first.actions, rollout_of(1, [2, 4]).actions)
    assert not torch.equal(first.observations, rollout_of(0, [6, 8]).observations)
    assert not torch.equal(first.observations[:, 0], first.observations[:, 1]), "two games are the same"


@pytest.mark.parametrize(
    ("changes", "cores", "expected"),
    [
        ({}, 4, 1),
        ({"algorithm": "a2c"}, 4, 4),
        ({"algorithm": "a2c", "threads": 2}, 4, 2),
        ({"algorithm": "a2c", "envs": 3}, 4, 3),
    ],
)
def test_only_the_one_learner_of_a2c_plays_with_threads(
    changes: dict[str, Any], cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout_module, "usable_cores", lambda: cores)
    assert game_threads(PRESETS["breakout"].replace(**changes)) == expected
    assert game_threads(PRESETS["cartpole"].replace(algorithm="a2c")) == 1
