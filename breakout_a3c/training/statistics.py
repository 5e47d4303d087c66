"""The statistics of a running training, gathered from the actor-learners' reports."""

import math
import statistics
from collections import defaultdict, deque
from collections.abc import Collection, Iterable

from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning.reports import LearnerReport, RunningMeans, UpdateMeasures

RECENT_GAMES = 100


class TrainingStatistics:
    """Scores of the last 100 games, and the means of the updates since they were last taken.

    Games of ``--sticky-games`` have a mean of their own, which begins anew with a resume; of the other measures only
    the truncated games count them.

    Args:
        returns: Raw scores of the last games before a resume, oldest first.
        lengths: Their lengths in agent steps.
        best_return: Best score of all games.
    """

    def __init__(
        self, returns: Iterable[float] = (), lengths: Iterable[int] = (), best_return: float = -math.inf
    ) -> None:
        self.recent_returns = deque(returns, maxlen=RECENT_GAMES)
        self.recent_lengths = deque(lengths, maxlen=RECENT_GAMES)
        self.best_return = best_return
        self._recent_sticky_returns = deque[float](maxlen=RECENT_GAMES)
        self.truncated_games = 0
        self.updates_not_finite = 0
        self.not_finite_in_a_row = 0
        self.reports_dropped = 0
        self._new_games: list[FinishedGame] = []
        self._returns_of_learner: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT_GAMES))
        self._means = RunningMeans()

    def add(self, report: LearnerReport) -> None:
        """Take in what one actor-learner reports."""
        for game in report.games:
            self.truncated_games += game.truncated
            if game.sticky:
                self._recent_sticky_returns.append(game.episode_return)
            else:
                self.recent_returns.append(game.episode_return)
                self.recent_lengths.append(game.episode_length)
                self.best_return = max(self.best_return, game.episode_return)
                self._returns_of_learner[report.learner_id].append(game.episode_return)
        self._new_games += report.games
        self.updates_not_finite += report.updates_not_finite
        self.not_finite_in_a_row = 0 if report.updates else self.not_finite_in_a_row + report.updates_not_finite
        self.reports_dropped += report.reports_dropped
        self._means.add(report.measures, report.updates)

    def mean_return(self) -> float:
        """Return the mean raw score of the last 100 games, nan before the first."""
        return mean_or_nan(self.recent_returns)

    def mean_sticky_return(self) -> float:
        """Return the mean raw score of the last 100 games of ``--sticky-games``, nan before the first."""
        return mean_or_nan(self._recent_sticky_returns)

    def mean_length(self) -> float:
        """Return the mean length of the last 100 games in agent steps, nan before the first."""
        return mean_or_nan(self.recent_lengths)

    def mean_returns_of_learners(self) -> dict[int, float]:
        """Return the mean raw score of the last 100 games of each actor-learner that has finished any."""
        return {learner: statistics.fmean(returns) for learner, returns in sorted(self._returns_of_learner.items())}

    def take_measures(self) -> UpdateMeasures:
        """Return the means of the updates since the last call."""
        means, self._means = self._means.means(), RunningMeans()
        return means

    def take_games(self) -> list[FinishedGame]:
        """Return the games that were reported since the last call."""
        games, self._new_games = self._new_games, []
        return games


def mean_or_nan(values: Collection[float]) -> float:
    """Return the mean of ``values``, nan if there are none."""
    return statistics.fmean(values) if values else math.nan
