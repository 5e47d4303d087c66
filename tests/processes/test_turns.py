import fcntl
import os
import time

import pytest
import torch
from torch import Tensor

from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.processes import turns as turns_module
from breakout_a3c.processes.start import process_context, start_process
from breakout_a3c.processes.turns import Turns, file_without_name
from tests.starting import START_METHOD

HOLD_SECONDS = 0.005


def take_turns(turns: Turns, counts: Tensor, inside: Tensor, most_inside: Tensor, learner_id: int) -> None:
    """Count turns for ever, and how many others of the same core have theirs meanwhile."""
    same_core = slice(learner_id % 2, None, 2)
    while True:
        with turns.wait(learner_id):
            inside[learner_id] = 1
            time.sleep(HOLD_SECONDS)
            most_inside[learner_id] = max(int(most_inside[learner_id]), int(inside[same_core].sum()))
            counts[learner_id] += 1
            inside[learner_id] = 0


def hold(turns: Turns, counts: Tensor, learner_id: int) -> None:
    with turns.wait(learner_id):
        counts[learner_id] += 1
        time.sleep(1000)


def wait_until(counts: Tensor, least: int) -> None:
    deadline = time.monotonic() + 60
    while not (counts >= least).all():
        assert time.monotonic() < deadline, f"turns so far: {counts.tolist()}"
        time.sleep(0.01)


def zeros(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.int64).share_memory_()


def test_those_that_share_a_core_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "usable_cores", lambda: 2)
    turns, counts, inside, most_inside = Turns(5), zeros(5), zeros(5), zeros(5)
    context = process_context(START_METHOD)
    processes = [
        start_process(context, f"actor-learner-{i}", take_turns, turns, counts, inside, most_inside, i)
        for i in range(5)
    ]
    wait_until(counts, 1)
    before = counts.clone()
    wait_until(counts, int(before.max()) + 40)
    gained = counts - before
    for process in processes:
        process.kill()
    assert most_inside.tolist() == [1] * 5
    assert gained[0::2].max() < 3 * gained[0::2].min(), "three share a core, and none of them is left out"
    assert gained[1::2].max() < 3 * gained[1::2].min(), "two share the other"


def test_nobody_waits_for_the_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "usable_cores", lambda: 1)
    turns, counts = Turns(3), zeros(3)
    context = process_context(START_METHOD)
    holders = [start_process(context, f"actor-learner-{i}", hold, turns, counts, i) for i in range(3)]
    dead: set[int] = set()
    while len(dead) < 3:
        deadline = time.monotonic() + 60
        while not (holding := set(counts.nonzero().flatten().tolist()) - dead):
            assert time.monotonic() < deadline, "the turn of a killed actor-learner has not ended"
            time.sleep(0.01)
        assert len(holding) == 1
        holders[min(holding)].kill()
        dead |= holding


def test_with_a_core_for_each_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "usable_cores", lambda: 2)
    turns, counts = Turns(2), zeros(2)
    context = process_context(START_METHOD)
    holders = [start_process(context, f"actor-learner-{i}", hold, turns, counts, i) for i in range(2)]
    wait_until(counts, 1)
    for holder in holders:
        holder.kill()


def test_a_kernel_without_files_in_memory_has_those_of_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refuse, raising=False)
    file = file_without_name()
    fcntl.lockf(file, fcntl.LOCK_EX, 1, 3)
    assert os.fstat(file).st_nlink == 0
    os.close(file)


def test_turns_tell_the_progress_and_end_with_the_run() -> None:
    shared = SharedParameters(torch.zeros(3), BREAKOUT.replace(total_steps=100))
    told = []
    for progress in shared.turns(0):
        told.append(progress)
        shared.count(0, 40, 0)
        shared.updates[0] += 1
    assert told == [0.0, 0.4, 0.8]
    assert list(shared.turns(1)) == []


def test_turns_end_when_the_run_is_stopped() -> None:
    shared = SharedParameters(torch.zeros(3), BREAKOUT)
    for number, _ in enumerate(shared.turns(0)):
        assert number == 0
        shared.stop()
    assert list(shared.turns(1)) == []
