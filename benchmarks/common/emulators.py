"""The emulator without a learner: bare, and inside our environment, one process a core."""

from collections.abc import Callable

import psutil
import torch

from benchmarks.common.contenders import Contender, run_rounds, started
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.make import make_environment
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.resources import usable_cores
from breakout_a3c.processes.start import Context, start_process

FRAMES_A_STEP = 4


def make_game(seed: int) -> AtariGame:
    """Return Breakout as the default preset plays it, at its beginning."""
    game = make_environment(PRESETS["breakout"].game, seed)
    assert isinstance(game, AtariGame)
    game.reset()
    return game


def run_bare_emulator(counters: torch.Tensor, index: int) -> None:
    """Act at random on the bare emulator, four frames a step, for ever; a lost game goes on from its start."""
    count = counters.numpy()
    game = make_game(seed=index)
    ale, actions = game.ale, game.actions
    beginning = ale.cloneState()  # restoring it takes no time, where reset_game emulates 60 frames
    while True:
        for choice in random_choices(index, len(actions)):
            if ale.game_over():
                ale.restoreState(beginning)
            action = actions[choice]
            for _ in range(FRAMES_A_STEP):
                ale.act(action)
            count[index] += 1


def run_environment(counters: torch.Tensor, index: int) -> None:
    """Act at random in our environment, for ever."""
    count = counters.numpy()
    game = make_game(seed=index)
    while True:
        for choice in random_choices(index, len(game.actions)):
            _, _, terminated, truncated, _ = game.step(choice)
            if terminated or truncated:
                game.reset()
            count[index] += 1


def random_choices(seed: int, actions: int) -> list[int]:
    """Return a lot of random actions, drawn beforehand."""
    return torch.randint(actions, (100_000,), generator=torch.Generator().manual_seed(seed)).tolist()


def emulators(context: Context, name: str, target: Callable[..., None], processes: int | None = None) -> Contender:
    """Start processes that do nothing but play, one a core unless told otherwise."""
    processes = processes or usable_cores()
    counters = torch.zeros(processes, dtype=torch.int64).share_memory_()
    children = [start_process(context, name, target, counters, index) for index in range(processes)]
    return started(Contender(name, [psutil.Process(child.pid) for child in children], lambda: int(counters.sum())))


def emulator_speed(context: Context, seconds: float = 10.0, processes: int | None = None) -> float:
    """Return the bare emulator's agent steps/s on all cores."""
    contender = emulators(context, "bare emulator", run_bare_emulator, processes)
    run_rounds([contender], 1, seconds)
    return contender.rates[0]
