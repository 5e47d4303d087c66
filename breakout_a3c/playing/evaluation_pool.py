"""An evaluation spread over all cores: a process a core, each playing several games at once."""

import math
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from multiprocessing import Pipe, connection
from multiprocessing.connection import Connection
from pathlib import Path

from breakout_a3c.errors import UserError
from breakout_a3c.playing.evaluation import GAMES_AT_ONCE, EvaluationResult, PlayedGame, Protocol, play_games, summarise
from breakout_a3c.processes.start import Context, start_process
from breakout_a3c.saving.agent import Agent, build_agent
from breakout_a3c.saving.checkpoints import Checkpoint


def evaluate_on_all_cores(
    context: Context, agent: Agent, protocol: Protocol, on_game: Callable[[list[PlayedGame]], None]
) -> EvaluationResult:
    """Play the games of ``protocol``; whoever finishes one takes the next.

    Args:
        context: Starts the processes, which end with this one.
        agent: Who plays.
        protocol: Which games, and how.
        on_game: Called after each game with all that are over so far.

    Raises:
        UserError: If a process is killed.
        RuntimeError: If a process fails, with its traceback.
    """
    cores = min(os.cpu_count() or 1, protocol.episodes)
    at_once = min(GAMES_AT_ONCE, math.ceil(protocol.episodes / cores))
    pipes = [start_player(context, agent.checkpoint, protocol, at_once) for _ in range(cores)]
    remaining = iter(range(protocol.episodes))
    played: list[PlayedGame] = []
    while len(played) < protocol.episodes:
        for ready in connection.wait(pipes):
            assert isinstance(ready, Connection)
            with kills_told():
                message = ready.recv()
            if isinstance(message, str):
                raise RuntimeError(message)
            if isinstance(message, PlayedGame):
                played.append(message)
                on_game(played)
            elif message == Request.GAME:
                with kills_told():
                    ready.send(next(remaining, None))
            else:
                pipes.remove(ready)
    return summarise(protocol, played)


class Request(Enum):
    """What a process that plays wants."""

    GAME = auto()
    LEAVE = auto()  # it has played all that it was given


def start_player(context: Context, checkpoint: Checkpoint, protocol: Protocol, at_once: int) -> Connection:
    """Start a process that plays; return the pipe to it."""
    ours, theirs = Pipe()
    start_process(context, "player", run_player, checkpoint, protocol, at_once, theirs)
    theirs.close()
    return ours


@contextmanager
def kills_told() -> Iterator[None]:
    """Turn the end of a pipe into a sentence."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise UserError("a process that played the games was killed: start the evaluation again.") from error


def run_player(checkpoint: Checkpoint, protocol: Protocol, at_once: int, pipe: Connection) -> None:
    """Ask for games, play them, tell how they ended, until there is no more."""

    def take() -> int | None:
        pipe.send(Request.GAME)
        number: int | None = pipe.recv()
        return number

    try:
        agent = build_agent(checkpoint, Path(checkpoint.run))
        for ended in play_games(agent.network, checkpoint.config.game, protocol, at_once, take):
            for played in ended:
                pipe.send(played)
        pipe.send(Request.LEAVE)
    except (EOFError, OSError):
        pass  # who wanted to know is gone
    except Exception:
        with suppress(OSError):  # another one may have told of the same error before
            pipe.send(traceback.format_exc())
