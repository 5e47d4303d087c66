"""Scores and update statistics of a running training."""

import math
import statistics
from collections import defaultdict, deque
from collections.abc import Iterable

from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning.reports import WorkerReport

RECENT_GAMES = 100


class TrainingStatistics:
    """Scores of the last 100 games, and the means of the updates since they were last taken.

    Args:
        games: Games finished before a resume.
        returns: Raw scores of the last of them, oldest first.
        lengths: Their lengths in agent steps.
        best_return: Best score of all of them.
    """

    def __init__(
        self,
        games: int = 0,
        returns: Iterable[float] = (),
        lengths: Iterable[int] = (),
        best_return: float = -math.inf,
    ) -> None:
        self.games = games
        self.recent_returns = deque(returns, maxlen=RECENT_GAMES)
        self.recent_lengths = deque(lengths, maxlen=RECENT_GAMES)
        self.best_return = best_return
        self.truncated_games = 0
        self.updates_not_finite = 0
        self.not_finite_in_a_row = 0
        self.reports_dropped = 0
        self._new_games: list[FinishedGame] = []
        self._returns_of_worker: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT_GAMES))
        self._weights: dict[str, float] = {}
        self._sums: dict[str, float] = {}

    def add(self, report: WorkerReport) -> None:
        """Take in what one actor-learner tells."""
        for game in report.games:
            self.games += 1
            self.recent_returns.append(game.episode_return)
            self.recent_lengths.append(game.episode_length)
            self.best_return = max(self.best_return, game.episode_return)
            self.truncated_games += game.truncated
            self._returns_of_worker[report.worker_id].append(game.episode_return)
        self._new_games += report.games
        self.updates_not_finite += report.statistics.not_finite
        self.not_finite_in_a_row = (
            0 if report.statistics.count else self.not_finite_in_a_row + report.statistics.not_finite
        )
        self.reports_dropped += report.statistics.dropped
        for name, mean in report.statistics.means.items():
            if math.isfinite(mean):
                self._weights[name] = self._weights.get(name, 0.0) + report.statistics.count
                self._sums[name] = self._sums.get(name, 0.0) + report.statistics.count * mean

    def mean_return(self) -> float:
        """Return the mean raw score of the last 100 games, nan before the first."""
        return statistics.fmean(self.recent_returns) if self.recent_returns else math.nan

    def take_scalars(self) -> dict[str, float]:
        """Return tags and values for TensorBoard; the means of the updates start anew."""
        scalars = {name: self._sums[name] / weight for name, weight in self._weights.items() if weight}
        self._weights, self._sums = {}, {}
        if self.recent_returns:
            scalars["rollout/ep_rew_mean"] = self.mean_return()
            scalars["rollout/ep_len_mean"] = statistics.fmean(self.recent_lengths)
        scalars["rollout/games"] = self.games
        scalars["rollout/truncated_games"] = self.truncated_games
        for worker_id, returns in sorted(self._returns_of_worker.items()):
            scalars[f"workers/ep_rew_mean_{worker_id}"] = statistics.fmean(returns)
        return scalars

    def take_games(self) -> list[FinishedGame]:
        """Return the games that were heard of since the last call."""
        games, self._new_games = self._new_games, []
        return games
