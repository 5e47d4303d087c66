"""Games that begin late go on exactly where earlier ones stood, and their scores are not counted."""

from collections import Counter

import numpy as np
import pytest

from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.batch import FinishedGame, GameBatch
from breakout_a3c.games.late_starts import MOMENTS_A_STAGE, LateStarts, stage_of
from breakout_a3c.games.make import make_environments
from breakout_a3c.presets import BREAKOUT

STAGES = (180.0, 405.0, 640.0)  # scores at three stages


def test_a_stage_is_24_points_or_half_of_what_is_left_of_a_wall() -> None:
    first = [score for score in range(864) if score == 0 or stage_of(score) > stage_of(score - 1)]
    assert first[:22] == [*range(0, 409, 24), 420, 426, 429, 431]
    assert first[22:] == [432 + score for score in first[:22]]
    assert [stage_of(score) for score in first] == list(range(44))


def test_the_end_of_the_last_wall_is_no_start(game: AtariGame) -> None:
    late = LateStarts(1.0, games=1, seed=0)
    late.see(0, game, 864.0, 9000)
    assert late.draw(0) is None


def test_the_newest_moments_of_each_stage_are_kept(game: AtariGame) -> None:
    late = LateStarts(1.0, games=1, seed=0)
    for length in range(10):
        for score in STAGES:
            late.see(0, game, score, length)
            late.see(0, game, score + 1, length)  # the same stage
        late._stages[0] = 0
    drawn = [late.draw(0) for _ in range(900)]
    moments = {(moment.episode_return, moment.episode_length) for moment in drawn if moment}
    newest = range(10 - MOMENTS_A_STAGE, 10)
    assert moments == {(score, length) for score in STAGES for length in newest}
    stages = Counter(moment.episode_return for moment in drawn if moment)
    assert all(250 <= stages[score] <= 350 for score in STAGES), "each stage as often as the others"


def test_a_game_that_begins_late_is_at_its_stage_already(game: AtariGame) -> None:
    late = LateStarts(1.0, games=2, seed=0)
    late.see(1, game, 310.0, 500)
    assert late.draw(0) is not None
    late.see(0, game, 311.0, 600)
    assert [len(late._moments[stage]) for stage in (stage_of(310), stage_of(336))] == [1, 0]
    late.see(0, game, 336.0, 700)
    assert len(late._moments[stage_of(336)]) == 1


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_as_many_games_begin_late_as_are_wanted(game: AtariGame, probability: float) -> None:
    late = LateStarts(probability, games=1, seed=0)
    assert late.draw(0) is None, "there is no moment yet"
    late.see(0, game, 200.0, 1)
    assert sum(late.draw(0) is not None for _ in range(2000)) == pytest.approx(2000 * probability, abs=80)


def play(games: GameBatch, steps: int) -> list[FinishedGame]:
    """Play with random actions; return the games that ended, all of them short."""
    observations = games.reset()
    random = np.random.default_rng(0)
    for _ in range(steps):
        games.step(random.integers(3, size=len(games)).tolist(), observations)
    return games.take_finished()


def test_scores_of_games_that_began_late_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakout_a3c.games.late_starts.stage_of", int)  # random play has one or two points
    config = BREAKOUT.replace(late_starts=0.9, second_chances=0.0)
    games = GameBatch(config, make_environments(config.game, [2, 4]), seed=3)
    games._late_starts._probability = 1.0
    # Each game begins anew once, before the first point; then all of them begin late.
    assert 2 <= len(play(games, 1500)) <= 4
    assert games._began_late == [True, True]
    other = GameBatch(config, make_environments(config.game, [6, 8]), seed=3)
    other.reset()
    other.restore(games.state())
    assert other._began_late == [True, True], "nor after a resume"
    assert (
        len(play(GameBatch(BREAKOUT.replace(second_chances=0.0), make_environments(BREAKOUT.game, [2, 4])), 1500)) > 8
    )


def test_it_goes_on_where_the_earlier_game_stood_and_then_other_games_follow() -> None:
    config = BREAKOUT.replace(late_starts=0.9, second_chances=0.0)
    games = GameBatch(config, make_environments(config.game, [2]), seed=3)
    games._late_starts._probability = 1.0
    observations = games.reset()
    games._late_starts.see(0, games._environments[0], 177.0, 300)
    moment = observations.copy()
    starts = []
    for _ in range(4):
        while not games._began_late[0]:
            games.step([0], observations)
        starts.append(observations.copy())
        assert (games._returns[0], games._lengths[0]) == (177.0, 300)
        games._began_late[0] = False
    assert all(np.array_equal(start, moment) for start in starts)
    noops = [games._environments[0].np_random.integers(1, 31) for _ in range(20)]  # type: ignore[union-attr]
    assert len(set(noops)) > 5


def test_a_batch_that_is_stopped_begins_the_same_games_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakout_a3c.games.late_starts.stage_of", int)  # random play has one or two points
    config = BREAKOUT.replace(late_starts=0.5)

    def batch(seeds: list[int]) -> GameBatch:
        return GameBatch(config, make_environments(config.game, seeds), seed=3)

    def outcomes(games: GameBatch, observations: np.ndarray) -> list[bytes]:
        random, seen = np.random.default_rng(1), []
        for _ in range(400):
            games.step(random.integers(3, size=2).tolist(), observations)
            seen.append(observations.tobytes())
        return seen

    games = batch([2, 4])
    play(games, 600)
    assert games._late_starts._moments
    state = games.state()
    observations = np.stack([state[f"{index}/observation"] for index in range(2)])
    expected, late = outcomes(games, observations), games._began_late
    other = batch([6, 8])
    other.reset()
    assert outcomes(other, other.restore(state)) == expected
    assert other._began_late == late


@pytest.mark.parametrize("stages", [[0], [0, 44], [-1, 0]])
def test_a_state_that_no_batch_writes_is_refused(stages: list[int], game: AtariGame) -> None:
    late = LateStarts(0.5, games=2, seed=0)
    with pytest.raises(ValueError, match="out of range"):
        late.restore(late.state() | {"stages": np.array(stages)}, game.state())
