"""What a trusted step does to the policy."""

import math
from dataclasses import replace
from multiprocessing import Pipe

import pytest
import torch

from breakout_a3c import actor_learner
from breakout_a3c.actor_learner import learn
from breakout_a3c.config import BREAKOUT, TrainConfig
from breakout_a3c.networks import ActorCritic
from breakout_a3c.reports import ReportSender
from breakout_a3c.rollout import Rollout, RolloutCollector, make_environments, make_network
from breakout_a3c.shared import LocalParameters, SharedParameters
from breakout_a3c.trust_region import policy_divergence, trusted_share

CONFIG = replace(
    BREAKOUT, threads=1, envs_per_thread=4, final_rollout_length=None, precision="float32", eval_minutes=0.0
)


def play(config: TrainConfig) -> tuple[ActorCritic, Rollout]:
    torch.manual_seed(0)
    environments = make_environments(config, [2 * game for game in range(config.games_each)])
    network = make_network(config, environments[0])
    return network, RolloutCollector(config, environments, seed=0).collect(network)


@pytest.mark.parametrize(
    ("kl", "share"),
    [(0.0, 1.0), (0.01, 1.0), (0.04, 0.5), (1.0, 0.1), (-1e-9, 1.0), (math.inf, 0.0), (math.nan, 0.0)],
)
def test_a_step_is_shortened_by_the_root_of_what_is_too_much(kl: float, share: float) -> None:
    assert trusted_share(kl, 0.01) == pytest.approx(share)


def test_the_policy_that_played_does_not_diverge() -> None:
    assert policy_divergence(*play(CONFIG)) == pytest.approx(0.0, abs=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(("length", "states"), [(5, slice(None)), (20, slice(0, 80, 3))], ids=["all", "a sample"])
def test_the_divergence_by_hand(length: int, states: slice) -> None:
    network, rollout = play(replace(CONFIG, rollout_length=length))
    observations = rollout.observations.flatten(0, 1)[states]
    before = network(observations)[0].softmax(1)
    for parameter in network.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    after = network(observations)[0].softmax(1)
    by_hand = sum(
        float(p) * math.log(float(p) / float(q))
        for old, new in zip(before, after, strict=True)
        for p, q in zip(old, new, strict=True)
    ) / len(before)
    assert by_hand > 1e-3
    assert policy_divergence(network, rollout) == pytest.approx(by_hand, rel=1e-3)


def divergence_of_updates(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Train; return by how much each update changed the policy, measured after its push."""
    torch.manual_seed(0)
    shared = SharedParameters.of_network(make_network(config, make_environments(config, [0])[0]), config)
    found: list[float] = []
    seen: list[tuple[ActorCritic, Rollout]] = []
    take = LocalParameters.take_gradient
    push = SharedParameters.push
    differentiate = actor_learner.differentiate

    def remember(network: ActorCritic, local: LocalParameters, rollout: Rollout, *rest: object) -> object:
        seen.append((network, rollout))
        return differentiate(network, local, rollout, *rest)  # type: ignore[arg-type]

    locals_: list[LocalParameters] = []

    def remember_local(self: LocalParameters, max_norm: float) -> tuple[torch.Tensor, float]:
        locals_.append(self)
        return take(self, max_norm)

    def push_and_measure(self: SharedParameters, step: torch.Tensor) -> None:
        push(self, step)
        locals_[-1].pull(self.parameters)
        found.append(policy_divergence(*seen[-1]))

    monkeypatch.setattr(actor_learner, "differentiate", remember)
    monkeypatch.setattr(LocalParameters, "take_gradient", remember_local)
    monkeypatch.setattr(SharedParameters, "push", push_and_measure)
    reader, writer = Pipe(duplex=False)
    with reader:
        learn(config, shared, 0, ReportSender(0, writer))
    return found


def test_no_update_goes_much_beyond_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, learning_rate=0.01, final_learning_rate=0.01, total_steps=400)
    with monkeypatch.context() as patch:
        free = divergence_of_updates(replace(config, max_kl=None), patch)
    trusted = divergence_of_updates(replace(config, max_kl=1e-3), monkeypatch)
    assert len(free) == len(trusted) == 20
    # Where a step leads far away, the divergence grows with less than its square, and what is left is too long.
    assert sum(kl < 1.5e-3 for kl in trusted) >= 15
    assert max(trusted) < 0.05 * max(free)
    assert sorted(trusted)[-5] > 5e-4, "what is trusted is made use of"
