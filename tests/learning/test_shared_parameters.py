"""What the actor-learners share: parameters, counters, the clock, and the end of the run."""

import time
from typing import Any

import pytest
import torch
from torch import Tensor

from breakout_a3c.config import Network
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import CARTPOLE_A3C
from tests.learning.test_local_parameters import differentiate, make_network, make_observations, taken

CONFIG = CARTPOLE_A3C.replace(threads=3, square_decay=0.9, optimizer_eps=0.01)
START = [1.0, -2.0, 0.5]


def test_a_push_moves_the_parameters_against_the_step() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    memory = shared.parameters.data_ptr()
    shared.push(0, torch.tensor([0.25, 0.0, -1.0]))
    shared.push(0, torch.tensor([0.25, 0.0, -1.0]))
    assert shared.parameters.tolist() == [0.5, -2.0, 2.5]
    assert shared.parameters.data_ptr() == memory, "the memory that others share"


def test_the_optimizer_is_that_of_the_settings() -> None:
    gradient = torch.tensor([3.0, 0.0, -0.5])
    shared = SharedParameters(torch.tensor(START), CONFIG.replace(rmsprop_eps_inside_root=True))
    shared.optimizer.step_for(gradient, updates=0)
    torch.testing.assert_close(shared.optimizer.square_average, 0.1 * gradient.square())
    assert len(shared.optimizer.gradient_average) == 0
    adam = SharedParameters(torch.tensor(START), CONFIG.replace(optimizer="adam", adam_beta1=0.8))
    adam.optimizer.step_for(gradient, updates=0)
    torch.testing.assert_close(adam.optimizer.gradient_average, 0.2 * gradient)


@pytest.mark.parametrize("network", ["paper", "mlp"])
def test_a_pull_after_a_push_brings_equal_parameters(network: Network) -> None:
    shared = SharedParameters.of_network(make_network(network), CONFIG)
    made = make_network(network)
    local = LocalParameters(made)
    assert torch.equal(shared.parameters, local.float32_parameters())
    before = shared.parameters.clone()
    differentiate(made, make_observations(network))
    shared.push(0, shared.optimizer.step_for(taken(local, 0.5)[0], updates=0))
    assert torch.equal(local.float32_parameters(), before), "only the shared parameters are updated"
    local.pull(shared.parameters)
    assert torch.equal(local.float32_parameters(), shared.parameters)
    assert not torch.equal(shared.parameters, before)


def test_memory_is_shared() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    tensors = [value for value in vars(shared).values() if isinstance(value, Tensor)]
    tensors += [value for value in vars(shared.optimizer).values() if isinstance(value, Tensor)]
    assert len(tensors) == 8
    assert all(tensor.is_shared() for tensor in tensors)


def test_initial_parameters_are_copied() -> None:
    start = torch.tensor(START)
    shared = SharedParameters(start, CONFIG)
    start.zero_()
    assert shared.parameters.tolist() == START


@pytest.mark.parametrize("wrong", [torch.zeros(3, dtype=torch.float64), torch.zeros(3, 1)], ids=["float64", "matrix"])
def test_parameters_of_another_kind_are_refused(wrong: Tensor) -> None:
    with pytest.raises(AssertionError, match="shared parameters must be"):
        SharedParameters(wrong, CONFIG)


def test_counters_are_sums_of_one_slot_an_actor_learner() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    for learner_id, steps, games in ((0, 40, 0), (2, 7, 1), (2, 3, 2)):
        shared.count(learner_id, steps, games)
    for learner_id in (0, 2):
        shared.push(learner_id, torch.zeros(3))
    counters = (shared.steps, shared.updates, shared.games)
    assert [counter.tolist() for counter in counters] == [[40, 0, 10], [1, 0, 1], [0, 0, 3]]
    assert (shared.total_steps(), shared.total_updates(), shared.total_games()) == (50, 2, 3)


def test_steps_do_not_overflow_32_bits() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    shared.count(0, 2**33, 0)
    shared.updates[0] += 1
    assert shared.total_steps() == 2**33


def totals(shared: SharedParameters) -> tuple[int, int, int]:
    return shared.total_steps(), shared.total_updates(), shared.total_games()


@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 2, 3), (1000, 334, 7)])
def test_a_restored_run_goes_on_with_its_counts(counts: tuple[int, int, int]) -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    shared.count(1, 5, 1)
    shared.updates[1] += 1
    shared.restore_counts(*counts, minutes=2.0)
    assert totals(shared) == counts
    shared.count(2, 7, 1)
    shared.updates[2] += 1
    assert totals(shared) == (counts[0] + 7, counts[1] + 1, counts[2] + 1)
    assert all(value.is_shared() for value in vars(shared).values() if isinstance(value, Tensor))


def test_the_clock_goes_on_from_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    shared = SharedParameters(torch.tensor(START), CONFIG)
    assert shared.minutes() == pytest.approx(0.0, abs=1e-6)
    now += 90
    assert shared.minutes() == pytest.approx(1.5)
    shared.restore_counts(0, 0, 0, minutes=100.0)
    now += 60
    assert shared.minutes() == pytest.approx(101.0)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"total_steps": 1000, "max_minutes": None}, 0.25),
        ({"total_steps": 1000, "max_minutes": 100.0}, 0.5),
        ({"total_steps": 1000, "max_minutes": 100.0, "max_episodes": 100}, 0.9),
        ({"total_steps": 100, "max_minutes": None}, 1.0),
    ],
)
def test_progress_is_by_steps_minutes_and_games(limits: dict[str, Any], expected: float) -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG.replace(**limits))
    shared.restore_counts(250, 0, 90, minutes=50.0)
    assert shared.progress() == pytest.approx(expected, abs=1e-3)


def test_stop() -> None:
    shared = SharedParameters(torch.tensor(START), CONFIG)
    assert not shared.stopped
    shared.stop()
    assert shared.stopped
