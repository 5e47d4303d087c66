"""Emulators with a ROM in them, which are costly to start: each first makes a table for flicker that nobody asks for.

Those of a training's actor-learners are made once, in the process that all of them are forked from.
"""

import atexit
from collections import defaultdict

import ale_py

from breakout_a3c.games.names import rom_path

READY: dict[str, list[ale_py.ALEInterface]] = defaultdict(list)  # by game

ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # no banner for each game
atexit.register(READY.clear)  # or the emulator's binding lists what it calls leaked, on stderr


def take_emulator(game: str) -> ale_py.ALEInterface:
    """Return an emulator that nobody else has: one that is ready, or a new one, which takes 50 ms.

    Raises:
        UserError: If ale-py has no such game for one player.
    """
    return READY[game].pop() if READY[game] else start_emulator(game)


def make_ready(game: str, count: int) -> None:
    """Start emulators for the processes that are forked from this one."""
    READY[game] += [start_emulator(game) for _ in range(count)]


def start_emulator(game: str) -> ale_py.ALEInterface:
    """Start an emulator without random numbers: without sticky actions it is deterministic."""
    emulator = ale_py.ALEInterface()
    emulator.setFloat("repeat_action_probability", 0.0)
    emulator.setInt("random_seed", 0)
    emulator.loadROM(rom_path(game))
    return emulator
