import math

import pytest
import torch

from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.training.averaging import ParameterAverage


@pytest.fixture
def shared() -> SharedParameters:
    return SharedParameters(torch.zeros(3), BREAKOUT.replace(threads=1))


def learn(shared: SharedParameters, steps: int, parameters: float) -> None:
    shared.parameters.fill_(parameters)
    shared.count(0, steps, 0)
    shared.updates[0] += 1


def test_it_closes_in_by_the_steps_that_went_by(shared: SharedParameters) -> None:
    average = ParameterAverage(shared, 1000)
    learn(shared, 1000, 8.0)
    assert average.follow().parameters == pytest.approx(torch.full((3,), 8 * (1 - 1 / math.e)))


def test_how_often_it_follows_does_not_matter_while_they_stand_still(shared: SharedParameters) -> None:
    often, once = ParameterAverage(shared, 1000), ParameterAverage(shared, 1000)
    for _ in range(10):
        learn(shared, 70, 5.0)
        often.follow()
    assert torch.allclose(often.parameters, once.follow().parameters)
    before = once.parameters.clone()
    assert torch.equal(once.follow().parameters, before), "no step has gone by"


def test_noise_around_a_point_averages_out(shared: SharedParameters) -> None:
    average = ParameterAverage(shared, 1000)
    for update in range(2000):
        learn(shared, 10, 3.0 + (-1) ** update)
        average.follow()
    assert torch.allclose(average.parameters, torch.tensor(3.0), atol=0.01)


def test_without_steps_it_is_the_newest_parameters_and_never_shares_them(shared: SharedParameters) -> None:
    average = ParameterAverage(shared, 0)
    learn(shared, 10, 5.0)
    assert torch.equal(average.follow().parameters, shared.parameters)
    learn(shared, 10, 6.0)
    assert float(average.parameters[0]) == 5.0


def test_a_resumed_average_goes_on(shared: SharedParameters) -> None:
    learn(shared, 5000, 4.0)
    average = ParameterAverage(shared, 1000, torch.full((3,), 2.0))
    assert torch.allclose(average.follow().parameters, torch.tensor(2.0))
    learn(shared, 100_000, 4.0)
    assert torch.allclose(average.follow().parameters, torch.tensor(4.0))
