"""Games in step: raw scores, whatever the learner sees; ends, threads, and where all games stand."""

import numpy as np
import pytest

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.batch import MAX_COUNT, BatchStep, FinishedGame, GameBatch
from breakout_a3c.games.make import make_environments
from breakout_a3c.presets import BREAKOUT, CARTPOLE_A3C
from tests.games.scripted import DEAD, ON, TRUNCATED, ScriptedGame, Step


def play(batch: GameBatch, steps: int) -> list[BatchStep]:
    """Begin all games, and play some steps of them."""
    observations = batch.reset()
    return [batch.step([0] * len(batch), observations) for _ in range(steps)]


@pytest.mark.parametrize(("clip", "expected"), [(True, [0.5, 0.0, -0.5]), (False, [2.0, 0.0, -3.5])])
def test_rewards_are_scaled_after_they_are_clipped(clip: bool, expected: list[float]) -> None:
    config = BREAKOUT.replace(clip_rewards=clip, reward_scale=0.5)
    batch = GameBatch(config, [ScriptedGame(Step(4.0), Step(0.0), Step(-7.0, terminated=True))])
    assert [float(step.rewards[0]) for step in play(batch, 3)] == expected
    assert [game.episode_return for game in batch.take_finished()] == [-3.0], "raw, whatever the learner sees"


@pytest.mark.parametrize(
    "config",
    [
        CARTPOLE_A3C.replace(clip_rewards=True),
        BREAKOUT,
        BREAKOUT.replace(life_loss_penalty=3.0, reward_scale=0.1, terminal_on_life_loss=False),
        BREAKOUT.replace(stall_steps=3),
    ],
    ids=["clipped", "breakout", "penalty and factor", "stalls"],
)
def test_a_score_is_the_sum_of_raw_rewards(config: TrainConfig) -> None:
    script = Step(4.0), Step(7.0, life_lost=True), ON, Step(-3.0), Step(0.5, terminated=True, life_lost=True)
    batch = GameBatch(config, [ScriptedGame(*script)])
    play(batch, 10)
    assert batch.take_finished() == [FinishedGame(8.5, 5, truncated=False)] * 2
    assert batch.take_finished() == []


def test_a_game_that_ended_starts_again_at_once() -> None:
    batch = GameBatch(CARTPOLE_A3C, [ScriptedGame(ON, DEAD), ScriptedGame(*[ON] * 9, name=1)])
    observations = batch.reset()
    assert observations.tolist() == [[0, 0, 0, 1], [1, 0, 0, 1]]
    seen = []
    for _ in range(3):
        step = batch.step([0, 1], observations)
        seen.append((step.terminated.tolist(), observations[:, 1:3].tolist()))
    assert seen == [
        ([False, False], [[0, 1], [0, 1]]),
        ([True, False], [[1, 0], [0, 2]]),
        ([False, False], [[1, 1], [0, 3]]),
    ]


def test_the_last_observation_of_a_truncated_game_is_kept() -> None:
    batch = GameBatch(CARTPOLE_A3C, [ScriptedGame(ON, TRUNCATED), ScriptedGame(ON, DEAD, name=1)])
    first, second = play(batch, 2)
    assert first.final_observations == {}
    assert (second.terminated.tolist(), second.truncated.tolist()) == ([False, True], [True, False])
    assert {index: observation.tolist() for index, observation in second.final_observations.items()} == {
        0: [0, 0, 2, 1]
    }
    assert batch.take_finished() == [FinishedGame(0.0, 2, truncated=True), FinishedGame(0.0, 2, truncated=False)]


def test_a_game_that_ends_at_its_limit_is_not_truncated() -> None:
    batch = GameBatch(CARTPOLE_A3C, [ScriptedGame(Step(1.0, terminated=True, truncated=True))])
    (step,) = play(batch, 1)
    assert step.terminated.tolist() == [True]
    assert batch.take_finished() == [FinishedGame(1.0, 1, truncated=False)]


def test_steps_without_a_reward_are_counted_anew_after_each_reward_and_each_game() -> None:
    config = CARTPOLE_A3C.replace(stall_steps=3)
    batch = GameBatch(config, [ScriptedGame(ON, ON, Step(1.0), ON, ON, DEAD)])
    assert not any(step.terminated[0] for step in play(batch, 5))
    batch = GameBatch(config, [ScriptedGame(Step(1.0), ON, DEAD)])
    assert [bool(step.terminated[0]) for step in play(batch, 6)] == [False, False, True] * 2
    assert batch.take_finished() == [FinishedGame(1.0, 3, truncated=False)] * 2
    batch = GameBatch(config, [ScriptedGame(ON, ON, ON, ON)])
    assert [bool(step.terminated[0]) for step in play(batch, 6)] == [False, False, True] * 2
    assert batch.take_finished() == [FinishedGame(0.0, 3, truncated=True)] * 2


def test_a_reward_late_in_a_game_lets_the_next_one_stall_no_longer() -> None:
    game = ScriptedGame(ON, Step(1.0), Step(1.0, terminated=True))
    batch = GameBatch(CARTPOLE_A3C.replace(stall_steps=3), [game])
    play(batch, 3)
    game.script = (ON,) * 9
    observations = game.observe()[np.newaxis]
    assert [bool(batch.step([0], observations).terminated[0]) for _ in range(3)] == [False, False, True]


def test_a_game_that_stalled_for_longer_than_a_resumed_run_allows_is_over() -> None:
    batch = GameBatch(CARTPOLE_A3C.replace(stall_steps=3), [ScriptedGame(*[ON] * 9)])
    before = GameBatch(CARTPOLE_A3C, [ScriptedGame(*[ON] * 9)])
    play(before, 5)
    batch.reset()
    observations = batch.restore(before.state())
    assert batch.step([0], observations).terminated.tolist() == [True]


def test_restored_games_go_on_with_their_scores() -> None:
    scripts = [Step(2.0)] * 3 + [Step(1.0, terminated=True)], [Step(5.0), TRUNCATED]
    first, second = (GameBatch(CARTPOLE_A3C, [ScriptedGame(*script) for script in scripts]) for _ in range(2))
    play(first, 3)
    second.reset()
    observations = second.restore(first.state())
    assert observations[:, 1:3].tolist() == [[0, 3], [1, 1]]
    second.step([0, 0], observations)
    assert second.take_finished() == [FinishedGame(7.0, 4, truncated=False), FinishedGame(5.0, 2, truncated=True)]


@pytest.mark.parametrize(
    ("name", "value"),
    [("returns", MAX_COUNT), ("returns", -MAX_COUNT), ("returns", np.nan), ("lengths", -1), ("lengths", MAX_COUNT)],
)
def test_scores_out_of_range_are_refused(name: str, value: float) -> None:
    batch = GameBatch(CARTPOLE_A3C, [ScriptedGame(ON), ScriptedGame(ON)])
    batch.reset()
    state = batch.state()
    state[name] = np.array([0, value])
    with pytest.raises(ValueError, match="out of range"):
        batch.restore(state)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_games_played_by_threads_are_the_same_games(threads: int) -> None:
    config = BREAKOUT.replace(precision="float32")
    outcomes = []
    for number in (1, threads):
        games = GameBatch(config, make_environments(config.game, [2, 4, 6, 8, 10]), number)
        observations = games.reset()
        choices = np.random.default_rng(0).integers(3, size=(60, 5)).tolist()
        rows = []
        for actions in choices:
            outcome = games.step(actions, observations)
            rows.append([observations.copy(), *outcome[:3]])
        outcomes.append(rows)
    for alone, together in zip(*outcomes, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_an_error_in_a_thread_reaches_the_learner() -> None:
    games = GameBatch(BREAKOUT, [ScriptedGame(Step()), ScriptedGame()], 2)
    observations = games.reset()
    with pytest.raises(IndexError):
        games.step([0, 0], observations)
