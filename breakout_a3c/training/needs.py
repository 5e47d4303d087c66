"""What a training surely needs, beside what this process may use: asked before the first process starts.

Nothing here imports torch, which the forkserver imports beside the trainer. The figures are below those that were
measured, so that no training is refused that fits.
"""

from collections.abc import Iterable, Sized
from dataclasses import dataclass

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import REWARD_RULES
from breakout_a3c.processes.resources import (
    FILES_OF_CHILD,
    FILES_OF_PROGRAM,
    PROCESSES_OF_CHILD,
    PROCESSES_OF_PROGRAM,
    allow_open_files,
    require_shared_memory,
    usable_memory,
    usable_processes,
)

MB = 2**20
LESS_MEMORY = "give fewer --threads or --envs"
# Of its own, in MB (USS). Measured after four updates of rollouts of 20 steps, with what the forkserver shares:
# 25 with 1 game of Breakout, 90 with 16, 229 with 64; 14 with 16 of CartPole, 26 with 256. The trainer: 200.
TRAINER_MB, LEARNER_MB = 150, 10
# Of an Atari game: the emulator, and a step of a rollout. An observation has 28,224 bytes, and what the layers of the
# smaller network made of it 18,496, in bf16.
GAME_MB, STEP_MB = 1.5, 0.04
# Of a trunk with the heads, of which a symmetric network has half as many, and of the LSTM cells: a quarter.
PARAMETERS = {"paper": 670_000, "nature": 1_680_000, "lstm": 670_000, "nature-lstm": 1_680_000, "mlp": 2_000}
LSTM_PARAMETERS = {"lstm": 525_000, "nature-lstm": 787_000}
PARAMETER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Need:
    """What a training needs of one thing, and what this process may use of it; None: as much as it likes.

    ``more`` says how to get ``{needed}`` of it, ``other`` which options need less, beside ``--threads``.
    """

    name: str
    of_program: float
    of_learner: float
    allowed: float | None
    more: str = ""
    other: str = ""

    def require(self, learners: int) -> None:
        """Raise a UserError where more is needed than allowed, with the number of actor-learners that would fit."""
        needed = self.of_program + self.of_learner * learners
        if self.allowed is None or needed <= self.allowed:
            return
        who = "this training" if learners == 1 else f"--threads {learners}"
        fits = int((self.allowed - self.of_program) / self.of_learner)
        options = " or ".join(filter(None, (f"--threads {fits}" if fits >= 1 else "", self.other)))
        mends = filter(None, (self.more.format(needed=f"{needed:.0f}"), f"give {options}" if options else ""))
        raise UserError(
            f"{who} needs {needed:,.0f} {self.name}, and this process may use {self.allowed:,.0f}: "
            f"{', or '.join(mends)}."
        )


def require_resources(config: TrainConfig, play_states: Iterable[Sized] = ()) -> None:
    """Raise a UserError if a training surely needs more than this process may use, or a reward rule that it has not.

    Args:
        config: The training's settings.
        play_states: Of the games that it goes on with, in bytes.
    """
    rule = config.game.reward_rule
    if rule is not None and rule not in REWARD_RULES:
        raise UserError(f"there is no reward rule {rule!r:.50}: give --import and the file that registers it.")
    open_files = Need(
        "open files",
        FILES_OF_PROGRAM + FILES_OF_CHILD,  # with the evaluator
        FILES_OF_CHILD,
        allow_open_files(),
        more="run ulimit -n {needed} first, in a new shell where this one has a lower limit",
    )
    processes = Need(
        "processes and threads",
        PROCESSES_OF_PROGRAM + PROCESSES_OF_CHILD,  # likewise
        PROCESSES_OF_CHILD,
        usable_processes(),
        more="allow {needed} (ulimit -u, a container's --pids-limit)",
    )
    memory = Need(
        "MB of memory", TRAINER_MB, learner_mb(config), usable_memory() / MB, other="fewer --envs or shorter rollouts"
    )
    for need in (open_files, processes, memory):
        need.require(config.learners.count)
    require_shared_memory(shared_bytes(config) + sum(map(len, play_states)))


def learner_mb(config: TrainConfig) -> float:
    """Return the memory that an actor-learner needs of its own, in MB."""
    if not config.game.is_atari:
        return LEARNER_MB
    steps = max(config.returns.rollout_length_at(annealed) for annealed in (0.0, 1.0))
    if config.learners.envs == 1:
        steps = 0  # that are sure: the rollout ends with the life, whatever its length may be
    return LEARNER_MB + config.learners.envs * (GAME_MB + STEP_MB * steps)


def shared_bytes(config: TrainConfig) -> int:
    """Return the bytes of the vectors that the processes share: parameters, averages of the optimizer, a snapshot."""
    network = config.network
    trunks = 2 if network.separate_value_network else 1
    parameters = PARAMETERS.get(network.name, 0) * trunks // (2 if network.symmetric else 1)
    parameters += LSTM_PARAMETERS.get(network.name, 0) // (4 if network.symmetric else 1)
    return parameters * PARAMETER_BYTES * (4 if config.optimizer.name == "adam" else 3)
