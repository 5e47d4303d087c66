"""One moment of a training, as the console and the curves show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """One moment of one machine of a cluster."""

    name: str
    learners: int
    learners_alive: int
    steps_per_second: float
    staleness: float  # updates of others between a pull and its push, in the mean; nan until it is known
    exchange_seconds: float  # that the last exchange took
    starting: bool = False  # nothing has been heard of it yet
    silent_seconds: float = 0.0  # since anything was heard of it


@dataclass(frozen=True, slots=True)
class TrainingStatus:
    """One moment of a training."""

    progress: float  # 0 to 1
    minutes: float
    minutes_left: float  # inf until it is known
    steps: int  # agent steps
    updates: int
    games: int
    steps_per_second: float
    updates_per_second: float
    frame_skip: int
    learning_rate: float
    entropy_coef: float
    recent_games: int  # of which mean_return and mean_length are: the last 100 that were reported
    mean_return: float  # raw; nan before the first game
    mean_sticky_return: float  # of the last 100 of --sticky-games; nan before the first
    mean_length: float  # agent steps
    best_return: float  # -inf before the first game
    mean_returns_of_learners: Mapping[int, float]
    truncated_games: int
    evaluation: float | None  # mean score of the last evaluated snapshot
    entropy: float  # nats; nan before the first update
    learners: int
    learners_alive: int
    learners_replaced: int
    updates_not_finite: int
    reports_dropped: int
    memory_mb: float
    minutes_since_checkpoint: float
    machines: Sequence[MachineStatus] = ()  # of a cluster
