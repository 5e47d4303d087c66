"""What a step that was shortened does to policy and values."""

import math
from multiprocessing import Pipe
from typing import Any

import pytest
import torch

from breakout_a3c.config import StepLimitOptions, TrainConfig
from breakout_a3c.games.make import make_environments
from breakout_a3c.learning import actor_learner, step_limits
from breakout_a3c.learning.actor_learner import learn
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.losses import Losses
from breakout_a3c.learning.networks import ActorCritic, make_network
from breakout_a3c.learning.reports import ReportSender
from breakout_a3c.learning.rollout import Rollout, RolloutCollector
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.learning.step_limits import PolicyChange, change_since, limit_step, sample_of, step_scale
from breakout_a3c.presets import BREAKOUT

CONFIG = BREAKOUT.replace(
    network="paper", threads=1, envs=4, final_rollout_length=None, precision="float32", eval_minutes=0.0
)


def play(config: TrainConfig) -> tuple[ActorCritic, Rollout]:
    torch.manual_seed(0)
    environments = make_environments(config.game, [2 * game for game in range(config.learners.envs)])
    network = make_network(config.network, environments[0])
    return network, RolloutCollector(config, environments, seed=0).collect(network)


def test_the_network_that_played_has_not_changed() -> None:
    network, rollout = play(CONFIG)
    assert change_since(rollout, network) == pytest.approx((0.0, 0.0), abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("length", [5, 20], ids=["all", "a sample"])
def test_the_change_by_hand(length: int) -> None:
    network, rollout = play(CONFIG.replace(rollout_length=length))
    observations = rollout.observations.flatten(0, 1)[sample_of(4 * length, 32)]
    assert len(observations) == min(4 * length, 32)
    before, values_before = network(observations)[0].softmax(1), network(observations)[1]
    for parameter in network.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    after, values_after = network(observations)[0].softmax(1), network(observations)[1]
    pairs = zip(before.flatten().tolist(), after.flatten().tolist(), strict=True)
    by_hand = sum(p * math.log(p / q) for p, q in pairs) / len(before)
    assert by_hand > 1e-3
    squares = [(a - b) ** 2 for a, b in zip(values_after.tolist(), values_before.tolist(), strict=True)]
    assert change_since(rollout, network) == pytest.approx((by_hand, math.sqrt(sum(squares) / len(squares))), rel=1e-3)


@pytest.mark.parametrize("games", [16, 40])
@pytest.mark.parametrize("length", [5, 8, 15, 16, 20, 32])
def test_a_sample_is_of_many_games_and_the_whole_time(length: int, games: int) -> None:
    chosen = sample_of(length * games, 32)
    assert len(set((chosen % games).tolist())) >= 12
    assert len(set((chosen // games).tolist())) >= min(length, 12)


@torch.no_grad()
@pytest.mark.parametrize(
    ("max_kl", "max_value_change", "scale"),
    [
        (1.0, 1.0, 1.0), (0.25, 0.8, 1.0), (0.04, 1.0, 0.4), (0.0025, 1.0, 0.1), (1.0, 0.2, 0.25), (0.04, 0.2, 0.25),
        (None, 0.08, 0.1), (0.04, None, 0.4),
    ],
)  # fmt: skip
def test_a_step_is_shortened_to_stay_within_both_limits(
    max_kl: float | None, max_value_change: float | None, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, rollout = play(CONFIG)
    local = LocalParameters(network)
    parameters = local.float32_parameters()
    monkeypatch.setattr(step_limits, "change_since", lambda rollout, network: PolicyChange(0.25, 0.8))
    step = torch.full_like(parameters, 0.01)
    limits = StepLimitOptions(max_kl=max_kl, max_value_change=max_value_change)
    limited, change = limit_step(step, parameters, local, rollout, limits)
    torch.testing.assert_close(limited, scale * step)
    assert change == (0.25, 0.8)
    assert torch.equal(local.float32_parameters(), parameters - step), "the whole step is tried"


@pytest.mark.parametrize(
    ("change", "limits", "scale"),
    [
        (PolicyChange(0.09, 9.0), StepLimitOptions(max_kl=None, max_value_change=None), 1.0),
        (PolicyChange(0.01, 0.5), StepLimitOptions(max_kl=0.01, max_value_change=0.5), 1.0),
        (PolicyChange(0.09, 0.0), StepLimitOptions(max_kl=0.01, max_value_change=0.5), 1 / 3),
        (PolicyChange(0.0, 2.0), StepLimitOptions(max_kl=0.01, max_value_change=0.5), 1 / 4),
        (PolicyChange(0.09, 2.0), StepLimitOptions(max_kl=0.01, max_value_change=0.5), 1 / 4),
        (PolicyChange(0.25, 2.0), StepLimitOptions(max_kl=0.01, max_value_change=0.5), 1 / 5),
    ],
)
def test_the_divergence_grows_with_the_square_of_a_step_and_values_with_the_step(
    change: PolicyChange, limits: StepLimitOptions, scale: float
) -> None:
    assert step_scale(change, limits) == pytest.approx(scale)


@pytest.mark.parametrize(("kl", "value", "finite"), [(0.0, 1.0, True), (math.nan, 0.0, False), (0.0, math.inf, False)])
def test_a_change_is_finite_if_both_numbers_are(kl: float, value: float, finite: bool) -> None:
    assert PolicyChange(kl, value).finite == finite


def divergence_of_updates(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Train; return by how much each update changed the policy, measured after its push."""
    torch.manual_seed(0)
    shared = SharedParameters.of_network(make_network(config.network, make_environments(config.game, [0])[0]), config)
    found: list[float] = []
    seen: list[tuple[LocalParameters, Rollout]] = []
    differentiate, push = actor_learner.differentiate, SharedParameters.push

    def remember(local: LocalParameters, rollout: Rollout, *rest: Any) -> Losses:
        seen.append((local, rollout))
        return differentiate(local, rollout, *rest)

    def push_and_measure(self: SharedParameters, learner_id: int, step: torch.Tensor) -> None:
        push(self, learner_id, step)
        local, rollout = seen[-1]
        local.pull(self.parameters)
        found.append(change_since(rollout, local.network).kl)

    monkeypatch.setattr(actor_learner, "differentiate", remember)
    monkeypatch.setattr(SharedParameters, "push", push_and_measure)
    reader, writer = Pipe(duplex=False)
    with reader:
        learn(config, shared, 0, ReportSender(0, writer))
    return found


@pytest.mark.parametrize("change", [PolicyChange(math.nan, 0.0), PolicyChange(0.0, math.inf)])
def test_a_step_that_leaves_no_policy_or_value_is_not_pushed(
    change: PolicyChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_limits, "change_since", lambda rollout, network: change)
    config = CONFIG.replace(total_steps=100)
    shared = SharedParameters.of_network(make_network(config.network, make_environments(config.game, [0])[0]), config)
    before = shared.parameters.clone()
    reader, writer = Pipe(duplex=False)
    with reader:
        learn(config, shared, 0, ReportSender(0, writer))
    assert torch.equal(shared.parameters, before)
    assert shared.total_updates() == 0


def test_no_update_goes_much_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIG.replace(
        learning_rate=0.01, final_learning_rate=0.01, warmup_updates=0, max_value_change=None, total_steps=400
    )
    with monkeypatch.context() as patch:
        free = divergence_of_updates(config.replace(max_kl=None), patch)
    limited = divergence_of_updates(config.replace(max_kl=1e-3), monkeypatch)
    assert len(free) == len(limited) == 20
    # Where a step leads far away, the divergence grows with less than its square, and what is left is too long.
    assert sum(kl < 1.5e-3 for kl in limited) >= 15
    assert max(limited) < 0.05 * max(free)
    assert sorted(limited)[-2] > 5e-4, "what the limit leaves is made use of"
