"""Trainings with a change for which train.py has no option."""

import sys
from multiprocessing import Pipe
from pathlib import Path

import pytest
import torch

from benchmarks.common.paths import ROOT
from benchmarks.variants import at_once, late_exchanges
from breakout_a3c.commands import train
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes import turns
from breakout_a3c.processes.start import process_context
from breakout_a3c.training import supervisor
from tests.running import run

CARTPOLE = ["--preset", "cartpole", "--threads", "4", "--total-steps", "6000", "--seed", "1", "--eval-minutes", "0"]


@pytest.mark.parametrize(
    "variant",
    ["at_once 3", "late_exchanges 200", pytest.param("two_groups", marks=pytest.mark.slow)],
)
def test_a_variant_trains_to_its_end(variant: str, tmp_path: Path) -> None:
    folders = ["--checkpoints", tmp_path / "checkpoints", "--runs", tmp_path / "runs"]
    command = [sys.executable, "-m", *f"benchmarks.variants.{variant}".split(), *CARTPOLE, *folders]
    done = run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "agent steps" in done.stdout


def test_more_run_at_once_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "usable_cores", lambda: 2)
    monkeypatch.setattr(train, "main", lambda: 0)
    monkeypatch.setattr(sys, "argv", ["train", "6", "--threads", "8"])
    assert turns.Turns(8)._cores == 2
    at_once.main()
    assert turns.Turns(8)._cores == 6
    assert sys.argv == ["train", "--threads", "8"]


def test_the_machines_of_a_variant_are_those_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "Supervisor", supervisor.Supervisor)
    monkeypatch.setattr(sys, "argv", ["train", "200", "--threads", "2"])
    monkeypatch.setattr(train, "main", lambda: 0)
    late_exchanges.main()
    config = PRESETS["cartpole"]
    made = supervisor.Supervisor(process_context("spawn"), config, SharedParameters(torch.zeros(2), config), {})
    assert "run_machine" in repr(made._target)
    assert sys.argv == ["train", "--threads", "2"]


def test_a_late_exchange_brings_what_others_did(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PRESETS["breakout"].replace(threads=2)
    shared = SharedParameters(torch.zeros(2), config)
    server, seen = shared.parameters, []

    def push_three_times(*_: object) -> None:
        for step in (torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0])):
            shared.push(0, step)
            shared.count(0, 10, 0)
            seen.append((shared.parameters.tolist(), server.tolist()))
            server[1] += 5  # another machine

    monkeypatch.setattr(late_exchanges, "run_actor_learner", push_three_times)
    late_exchanges.run_machine(20, config, shared, 0, Pipe()[1], torch.empty(0, dtype=torch.uint8))
    assert seen == [([-1.0, 0.0], [0.0, 0.0]), ([-2.0, 0.0], [0.0, 5.0]), ([-3.0, 10.0], [-3.0, 10.0])]
