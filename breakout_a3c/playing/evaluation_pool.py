"""Spreads an evaluation over all cores: one process a core, and each plays several games at once."""

import math
import os
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe, connection
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from breakout_a3c.errors import UserError
from breakout_a3c.playing.evaluation import (
    BATCH_ROWS,
    EvaluationResult,
    PlayedGame,
    Protocol,
    play_games,
    summarise,
    take_next,
)
from breakout_a3c.processes.start import Context, start_process
from breakout_a3c.saving.agent import Agent, build_agent
from breakout_a3c.saving.checkpoints import Checkpoint


def evaluate_on_all_cores(
    context: Context, agent: Agent, protocol: Protocol, on_game: Callable[[list[PlayedGame]], None]
) -> EvaluationResult:
    """Play the games of ``protocol``; a process that has finished one receives the next.

    Args:
        context: Starts the processes, which end with this one.
        agent: The player.
        protocol: The games and their rules.
        on_game: Called after each game with all games that are over.

    Raises:
        UserError: If a process is killed.
        RuntimeError: If a process fails, with its traceback.
    """
    cores = min(os.cpu_count() or 1, protocol.episodes)
    games_at_once = min(BATCH_ROWS, math.ceil(protocol.episodes / cores))
    pipes = [start_evaluation_process(context, agent, protocol, games_at_once) for _ in range(cores)]
    remaining = list(range(protocol.episodes))
    played: list[PlayedGame] = []
    while len(played) < protocol.episodes:
        for ready in connection.wait(pipes):
            assert isinstance(ready, Connection)
            with kills_reported():
                message = ready.recv()
            if isinstance(message, str):
                raise RuntimeError(message)
            if isinstance(message, PlayedGame):
                played.append(message)
                on_game(played)
            elif isinstance(message, GameRequest):
                with kills_reported():
                    ready.send(take_next(remaining, message.free_rows))
            else:
                pipes.remove(ready)
    return summarise(protocol, played)


@dataclass(frozen=True, slots=True)
class GameRequest:
    """A request of an evaluation process: send the number of the next game."""

    free_rows: frozenset[int]  # in one of which it is to be


def start_evaluation_process(context: Context, agent: Agent, protocol: Protocol, games_at_once: int) -> Connection:
    """Start a process that plays games of ``protocol``; return the pipe to it."""
    ours, theirs = Pipe()
    task = (agent.checkpoint, agent.precision, protocol, games_at_once, theirs)
    start_process(context, "player", run_evaluation_process, *task)
    theirs.close()
    return ours


@contextmanager
def kills_reported() -> Iterator[None]:
    """Raise a UserError where a pipe ends: its process was killed."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise UserError("a process that played the games was killed: start the evaluation again.") from error


def run_evaluation_process(
    checkpoint: Checkpoint, precision: torch.dtype, protocol: Protocol, games_at_once: int, pipe: Connection
) -> None:
    """Ask for games, play them and send them back, until there are no more.

    Args:
        checkpoint: The player.
        precision: Of its arithmetic.
        protocol: The games and their rules.
        games_at_once: How many games are played side by side.
        pipe: To the process that evaluates; it receives each GameRequest and PlayedGame, and None at the end, or a
            traceback.
    """

    def request_number(free_rows: Collection[int]) -> int | None:
        pipe.send(GameRequest(frozenset(free_rows)))
        number: int | None = pipe.recv()
        return number

    try:
        agent = build_agent(checkpoint, Path(checkpoint.run), precision)
        for ended in play_games(agent.network, checkpoint.config.game, protocol, games_at_once, request_number):
            for played in ended:
                pipe.send(played)
        pipe.send(None)
    except (EOFError, OSError):
        pass  # the process at the other end is gone
    except Exception:
        with suppress(OSError):  # the other end may be gone after the same error in another process
            pipe.send(traceback.format_exc())
