"""Spreads an evaluation over all cores: one process a core, and each plays several games at once."""

import itertools
import math
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import Pipe, connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from breakout_a3c.errors import UserError
from breakout_a3c.playing.evaluation import (
    BATCH_ROWS,
    EvaluationResult,
    GameMaker,
    PlayedGame,
    Protocol,
    make_evaluation_environment,
    play_games,
    summarise,
    take_next,
)
from breakout_a3c.processes.ends import Ends
from breakout_a3c.processes.resources import children_that_fit, free_memory, require_shared_memory, usable_cores
from breakout_a3c.processes.start import Context, start_process
from breakout_a3c.saving.agent import Agent, build_agent
from breakout_a3c.saving.checkpoints import Checkpoint

PLAYER_BYTES = 100 * 2**20  # of its own: 45 MB (USS) for 16 games of Breakout, and what the forkserver shares at first
MORE_MEMORY = "free some, and start the evaluation again; with fewer cores (taskset -c 0) it needs less"
KILLED_SECONDS = 3.0


def evaluate_on_all_cores(
    context: Context,
    agent: Agent,
    protocol: Protocol,
    on_game: Callable[[list[PlayedGame]], None],
    make_game: GameMaker = make_evaluation_environment,
) -> EvaluationResult:
    """Play the games of ``protocol``; a process that has finished one receives the next.

    Args:
        context: Starts the processes, which end with this one.
        agent: The player.
        protocol: The games and their rules.
        on_game: Called after each game with all games that are over.
        make_game: Builds the games' environments, in each process; a function of a module.

    Raises:
        UserError: If a process is killed, or if there is too little shared memory.
        RuntimeError: If a process fails, with its traceback.
    """
    players = min(protocol.episodes, usable_cores(), players_that_fit())
    games_at_once = min(BATCH_ROWS, math.ceil(protocol.episodes / players))
    checkpoint, ends = what_plays(agent.checkpoint), Ends()
    require_shared_memory(checkpoint.parameters.nbytes)
    task = PlayerTask(checkpoint, agent.precision, protocol, games_at_once, make_game)
    pipes = dict(start_player(context, task) for _ in range(players))
    remaining = list(range(protocol.episodes))
    played: list[PlayedGame] = []
    while len(played) < protocol.episodes:
        for ready in connection.wait(list(pipes)):
            assert isinstance(ready, Connection)
            with kills_reported(pipes[ready], ends):
                message = ready.recv()
            if isinstance(message, str):
                raise RuntimeError(message)
            if isinstance(message, PlayedGame):
                played.append(message)
                on_game(played)
            elif isinstance(message, GameRequest):
                with kills_reported(pipes[ready], ends):
                    ready.send(take_next(remaining, message.free_rows))
            else:
                del pipes[ready]
    return summarise(protocol, played)


@dataclass(frozen=True, slots=True)
class PlayerTask:
    """What a process of an evaluation is to do."""

    checkpoint: Checkpoint  # the player
    precision: torch.dtype  # of its arithmetic
    protocol: Protocol
    games_at_once: int  # played side by side
    make_game: GameMaker


@dataclass(frozen=True, slots=True)
class GameRequest:
    """A request of an evaluation process: send the number of the next game."""

    free_rows: frozenset[int]  # in one of which it is to be


def players_that_fit() -> int:
    """Return how many processes may play at a time by what this one may use, at least one; the scores are the same."""
    return max(1, min(children_that_fit(), free_memory() // PLAYER_BYTES))


def what_plays(checkpoint: Checkpoint) -> Checkpoint:
    """Return ``checkpoint`` with one vector alone: each of its tensors would take shared memory and an open file."""
    plays, nothing = checkpoint.averaged_parameters, torch.zeros(0)
    return replace(
        checkpoint,
        parameters=plays,
        averaged_parameters=plays,
        square_average=nothing,
        gradient_average=nothing,
        play_states=[],
    )


def start_player(context: Context, task: PlayerTask) -> tuple[Connection, BaseProcess]:
    """Start a process that plays games; return the pipe to it, and the process."""
    ours, theirs = Pipe()
    process = start_process(context, "player", run_evaluation_process, task, theirs)
    theirs.close()
    return ours, process


@contextmanager
def kills_reported(process: BaseProcess, ends: Ends) -> Iterator[None]:
    """Raise a UserError where the pipe of ``process`` ends: it was killed."""
    try:
        yield
    except (EOFError, OSError) as error:
        process.join(KILLED_SECONDS)  # for its exit code
        end = ends.describe(process.exitcode, MORE_MEMORY)
        raise UserError(f"a process that played the games {end}.") from error


def run_evaluation_process(task: PlayerTask, pipe: Connection) -> None:
    """Ask for games, play them and send them back, until there are no more.

    Args:
        task: What is played.
        pipe: To the process that evaluates; it receives each GameRequest and PlayedGame, and None at the end, or a
            traceback.
    """

    def request_number(free_rows: Collection[int]) -> int | None:
        pipe.send(GameRequest(frozenset(free_rows)))
        number: int | None = pipe.recv()
        return number

    try:
        agent = build_agent(task.checkpoint, Path(task.checkpoint.run), task.precision)
        game = task.checkpoint.config.game
        batches = play_games(agent.network, game, task.protocol, task.games_at_once, request_number, task.make_game)
        for played in itertools.chain.from_iterable(batches):
            pipe.send(played)
        pipe.send(None)
    except (EOFError, OSError):
        pass  # the process at the other end is gone
    except Exception:
        with suppress(OSError):  # the other end may be gone after the same error in another process
            pipe.send(traceback.format_exc())
