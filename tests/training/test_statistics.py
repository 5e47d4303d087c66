import math

import pytest

from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning.reports import LearnerReport, UpdateMeasures
from breakout_a3c.training.statistics import TrainingStatistics


def report_games(*returns: float, learner_id: int = 0) -> LearnerReport:
    return LearnerReport(learner_id, [FinishedGame(value, 10 * int(value), False) for value in returns])


def report_updates(updates: int, **measures: float) -> LearnerReport:
    return LearnerReport(0, [], UpdateMeasures(**measures), updates)


def test_score_and_length_are_means_of_the_last_100_games() -> None:
    statistics = TrainingStatistics()
    assert math.isnan(statistics.mean_return())
    assert math.isnan(statistics.mean_length())
    statistics.add(report_games(*[500.0] * 50, *[1.0] * 60, *[3.0] * 40))
    assert statistics.mean_return() == pytest.approx(0.6 * 1 + 0.4 * 3)
    assert statistics.mean_length() == pytest.approx(10 * statistics.mean_return())
    assert len(statistics.recent_returns) == 100
    assert statistics.best_return == 500


def test_a_resume_goes_on_with_the_games_before_it() -> None:
    statistics = TrainingStatistics([1.0] * 99, [10] * 99, best_return=7.0)
    statistics.add(report_games(3.0, 5.0))
    assert statistics.mean_return() == pytest.approx((98 * 1 + 3 + 5) / 100)
    assert statistics.mean_length() == pytest.approx((98 * 10 + 30 + 50) / 100)
    assert statistics.best_return == 7.0
    assert [game.episode_return for game in statistics.take_games()] == [3.0, 5.0], "the others were written before"


def test_games_with_sticky_actions_have_a_mean_of_their_own() -> None:
    statistics = TrainingStatistics()
    assert math.isnan(statistics.mean_sticky_return())
    games = [
        FinishedGame(value, 10, truncated=True, sticky=True) for value in (*[900.0] * 50, *[4.0] * 60, *[6.0] * 40)
    ]
    statistics.add(LearnerReport(0, [FinishedGame(3.0, 30, False), *games]))
    assert statistics.mean_sticky_return() == pytest.approx(0.6 * 4 + 0.4 * 6)
    assert (statistics.mean_return(), statistics.mean_length(), statistics.best_return) == (3, 30, 3)
    assert statistics.truncated_games == 150
    assert statistics.mean_returns_of_learners() == {0: 3}
    assert len(statistics.take_games()) == 151, "all are written"


def test_means_are_weighted_by_updates_and_begin_anew() -> None:
    statistics = TrainingStatistics()
    statistics.add(report_updates(1, entropy=1.0, staleness=7.0))
    statistics.add(report_updates(3, entropy=2.0))
    statistics.add(report_updates(3, entropy=math.nan))
    measures = statistics.take_measures()
    assert measures.entropy == pytest.approx(1.75)
    assert measures.staleness == 7.0, "the mean over the updates that measured it"
    assert measures.kl is None, "no update measured it"
    assert statistics.take_measures() == UpdateMeasures()


def test_each_game_is_taken_once_and_each_actor_learner_has_its_mean() -> None:
    statistics = TrainingStatistics()
    for learner_id, returns in ((2, [8.0]), (0, [1.0, 3.0]), (0, [5.0])):
        statistics.add(report_games(*returns, learner_id=learner_id))
    assert list(statistics.mean_returns_of_learners().items()) == [(0, 3.0), (2, 8.0)]
    assert [game.episode_return for game in statistics.take_games()] == [8.0, 1.0, 3.0, 5.0]
    assert statistics.take_games() == []


def test_updates_that_are_not_finite_are_counted_in_a_row() -> None:
    statistics = TrainingStatistics()
    for finite, not_finite in ((0, 5), (0, 7), (1, 3), (0, 2)):
        statistics.add(LearnerReport(0, [], updates=finite, updates_not_finite=not_finite))
    assert (statistics.updates_not_finite, statistics.not_finite_in_a_row) == (17, 2)


def test_truncated_games_and_dropped_reports_are_counted() -> None:
    statistics = TrainingStatistics()
    games = [FinishedGame(1.0, 10, truncated) for truncated in (True, False, True)]
    statistics.add(LearnerReport(0, games, reports_dropped=2))
    statistics.add(LearnerReport(1, games[1:], reports_dropped=1))
    assert (statistics.truncated_games, statistics.reports_dropped) == (3, 3)
