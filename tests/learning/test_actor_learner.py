import sys
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest
import torch

from breakout_a3c.config import LossReduction, TrainConfig
from breakout_a3c.games.make import make_environments
from breakout_a3c.learning import actor_learner
from breakout_a3c.learning import rollout as rollout_module
from breakout_a3c.learning.actor_learner import differentiate, learn
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.losses import Losses
from breakout_a3c.learning.networks import make_network
from breakout_a3c.learning.optimizer import SharedOptimizer
from breakout_a3c.learning.reports import LearnerFailure, LearnerReport, ReportSender
from breakout_a3c.learning.rollout import Rollout, RolloutCollector
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import BREAKOUT, PRESETS
from breakout_a3c.processes.pipes import Inbox
from tests.running import run

ROOT = Path(__file__).parents[2]


def make_shared(config: TrainConfig) -> SharedParameters:
    torch.manual_seed(config.upkeep.seed)
    return SharedParameters.of_network(make_network(config.network, make_environments(config.game, [0])[0]), config)


def train_alone(config: TrainConfig) -> tuple[SharedParameters, list[LearnerReport]]:
    """Run one actor-learner in this process to the end of the run."""
    shared = make_shared(config)
    reader, writer = Pipe(duplex=False)
    sender = ReportSender(0, writer)
    learn(config, shared, 0, sender)
    sender.close(b"")
    inbox, reports = Inbox(reader), []
    with suppress(EOFError):
        while isinstance(report := inbox.receive(), LearnerReport):
            reports.append(report)
    return shared, reports


ALONE = BREAKOUT.replace(
    threads=1,
    envs=2,
    final_rollout_length=None,
    precision="float32",
    total_steps=100,
    eval_minutes=0.0,
)


def test_ten_updates() -> None:
    shared, reports = train_alone(ALONE)
    assert shared.total_steps() == 100
    assert shared.total_updates() == 10
    assert torch.isfinite(shared.parameters).all()
    assert sum(report.updates for report in reports) == 10
    told = [report.measures for report in reports if report.updates]
    assert all(measures.entropy is not None and 0 < measures.entropy <= 1.1 for measures in told)
    assert all(measures.staleness == 0 for measures in told), "there is nobody else"


def fraction_of_units_alive(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Train; return which fraction of the features is not zero in all states of a rollout, for each rollout."""
    found: list[float] = []

    def look(local: LocalParameters, rollout: Rollout, *rest: Any) -> Losses:
        features = rollout.cached_outputs_of(slice(None)).layers[-1]
        found.append(float((features > 0).any(0).float().mean()))
        return differentiate(local, rollout, *rest)

    monkeypatch.setattr(actor_learner, "differentiate", look)
    train_alone(config)
    return found


def test_the_first_steps_leave_the_units_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = BREAKOUT.replace(threads=1, final_rollout_length=None, precision="float32", eval_minutes=0.0)
    config = preset.replace(total_steps=20 * 16 * preset.returns.rollout_length)
    black = config.replace(background="black")
    default, warm = (fraction_of_units_alive(each, monkeypatch) for each in (config, black))
    cold = fraction_of_units_alive(black.replace(warmup_updates=0, max_value_change=None), monkeypatch)
    assert len(default) == len(warm) == len(cold) == 20
    assert warm[0] == cold[0] > 0.4
    assert warm[-1] > 0.85 * warm[0]
    assert default[-1] > 0.85 * default[0]
    assert cold[-1] < 0.7 * cold[0], "where nothing is subtracted, cold steps kill units"


@pytest.mark.parametrize("seed", [1, 2])
def test_one_actor_learner_and_one_seed_give_identical_parameters(seed: int) -> None:
    first, _ = train_alone(ALONE.replace(seed=seed))
    second, _ = train_alone(ALONE.replace(seed=seed))
    assert torch.equal(first.parameters, second.parameters)
    assert torch.equal(first.optimizer.square_average, second.optimizer.square_average)


def learn_until(config: TrainConfig, shared: SharedParameters, steps: int, play_state: bytes = b"") -> bytes:
    """Run one actor-learner in this process until ``steps`` are done or the run is."""
    count = SharedParameters.count

    def count_and_stop(self: SharedParameters, learner_id: int, length: int, games: int) -> None:
        count(self, learner_id, length, games)
        if self.total_steps() >= steps:
            self.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SharedParameters, "count", count_and_stop)
        reader, writer = Pipe(duplex=False)
        with reader:
            return learn(config, shared, 0, ReportSender(0, writer), play_state)


@pytest.mark.parametrize(
    "config",
    [
        ALONE.replace(total_steps=1200, final_rollout_length=20),
        ALONE.replace(total_steps=1200, network="paper"),
        PRESETS["cartpole"].replace(threads=1, optimizer="adam", total_steps=2000, eval_minutes=0.0),
        PRESETS["paper"].replace(threads=1, total_steps=500, precision="float32"),
    ],
    ids=["breakout", "feed-forward", "cartpole with adam", "paper"],
)
def test_two_halves_are_bit_identical_to_the_whole(config: TrainConfig) -> None:
    assert config.schedule.total_steps is not None
    whole, first = make_shared(config), make_shared(config)
    learn_until(config, whole, config.schedule.total_steps)
    play_state = learn_until(config, first, config.schedule.total_steps // 2)
    assert first.total_steps() < whole.total_steps()

    second = make_shared(config.replace(seed=99))
    second.parameters.copy_(first.parameters)
    second.optimizer.restore(first.optimizer.square_average, first.optimizer.gradient_average)
    second.restore_counts(first.total_steps(), first.total_updates(), first.total_games(), first.minutes())
    learn_until(config, second, config.schedule.total_steps, play_state)
    assert second.total_steps() == whole.total_steps()
    assert second.total_games() == whole.total_games() > 0
    assert torch.equal(second.parameters, whole.parameters)
    assert torch.equal(second.optimizer.square_average, whole.optimizer.square_average)


@pytest.mark.parametrize("network", ["paper", "lstm"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_rollout_in_parts_has_the_gradient_and_the_losses_of_the_whole(
    reduction: LossReduction, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ALONE.replace(rollout_length=7, loss_reduction=reduction, network=network)
    environments = make_environments(config.game, [1, 2])
    made = make_network(config.network, environments[0])
    local = LocalParameters(made)
    rollout = RolloutCollector(config, environments, seed=0).collect(made)
    advantages, returns = torch.randn(2, 7, 2)

    def differentiate_in_parts(steps: int) -> tuple[torch.Tensor, Losses]:
        monkeypatch.setattr(rollout_module, "PART_STEPS", steps)
        losses = differentiate(local, rollout, advantages, returns, config.loss, annealed=0.0)
        return local.take_gradient(1e9)[0].clone(), losses

    whole, expected = differentiate_in_parts(14)
    parts, losses = differentiate_in_parts(4)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(tuple(losses), tuple(expected))


@pytest.mark.parametrize(("annealed", "entropy_coef"), [(0.0, 0.2), (0.5, 0.15), (1.0, 0.1)])
def test_the_weights_of_the_loss_are_those_of_this_point_of_the_run(annealed: float, entropy_coef: float) -> None:
    config = PRESETS["cartpole"].replace(entropy_coef=0.2, final_entropy_coef=0.1, value_coef=0.3)
    environments = make_environments(config.game, [1, 2])
    network = make_network(config.network, environments[0])
    local = LocalParameters(network)
    rollout = RolloutCollector(config, environments, seed=0).collect(network)
    losses = differentiate(local, rollout, *torch.randn(2, 5, 2), config.loss, annealed)
    torch.testing.assert_close(losses.total, losses.policy + 0.3 * losses.value - entropy_coef * losses.entropy)


def move_of_first_update(config: TrainConfig, updates_of_others: int, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """Return by what an update moves the parameters during whose rollout others make so many."""
    shared = make_shared(config.replace(threads=2, total_steps=10))
    before, collect = shared.parameters.clone(), RolloutCollector.collect

    def collect_beside_others(collector: RolloutCollector, *arguments: Any) -> Rollout:
        shared.updates[1] += updates_of_others
        return collect(collector, *arguments)

    _reader, writer = Pipe(duplex=False)
    with monkeypatch.context() as patched:
        patched.setattr(RolloutCollector, "collect", collect_beside_others)
        learn(config.replace(threads=2, total_steps=10), shared, 0, ReportSender(0, writer))
    return shared.parameters - before


@pytest.mark.parametrize(("updates_of_others", "scale"), [(0, 1.0), (3, 1.0), (7, 0.5), (15, 0.25)])
def test_a_late_step_is_shortened(updates_of_others: int, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, shortened = (
        move_of_first_update(ALONE.replace(max_staleness=most), updates_of_others, monkeypatch) for most in (None, 3)
    )
    assert whole.abs().max() > 1e-6
    torch.testing.assert_close(shortened, scale * whole, atol=1e-3 * float(whole.abs().max()), rtol=1e-3)


@pytest.mark.parametrize(
    ("error", "lacks_memory"),
    [
        (torch.OutOfMemoryError("Tried to allocate 2.00 MiB."), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), True),
        (RuntimeError("CUDA error: no kernel image is available"), False),
        (MemoryError("out of memory"), False),
    ],
    ids=str,
)
def test_a_full_gpu_is_told_in_a_sentence(
    error: Exception, lacks_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> bytes:
        raise error

    monkeypatch.setattr(actor_learner, "learn", fail)
    reader, writer = Pipe(duplex=False)
    with pytest.raises(SystemExit):
        actor_learner.run_actor_learner(ALONE, make_shared(ALONE), 0, writer, torch.empty(0, dtype=torch.uint8))
    failure = Inbox(reader).receive()
    assert isinstance(failure, LearnerFailure)
    assert (failure.traceback == actor_learner.NO_GPU_MEMORY) is lacks_memory


def test_another_seed_gives_other_parameters() -> None:
    assert not torch.equal(train_alone(ALONE)[0].parameters, train_alone(ALONE.replace(seed=2))[0].parameters)


def test_the_paper_preset_learns_by_itself_too() -> None:
    shared, _ = train_alone(PRESETS["paper"].replace(threads=1, total_steps=50, precision="float32"))
    assert 50 <= shared.total_steps() < 55, "a rollout has at most 5 steps and ends with the life"
    assert shared.total_updates() >= 10


def test_a_gradient_that_is_not_finite_is_not_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    step_for = SharedOptimizer.step_for

    def refuse_nan(self: SharedOptimizer, gradient: torch.Tensor, updates: int) -> torch.Tensor:
        assert torch.isfinite(gradient).all()
        return step_for(self, gradient, updates)

    monkeypatch.setattr(SharedOptimizer, "step_for", refuse_nan)
    config = ALONE.replace(value_coef=1e38, loss_reduction="sum", max_grad_norm=1e30)
    shared, reports = train_alone(config)
    assert torch.isfinite(shared.parameters).all()
    assert shared.total_updates() < 10
    assert sum(report.updates_not_finite for report in reports) == 10 - shared.total_updates()


def test_the_first_gradient_does_not_import_sympy() -> None:
    """As some ways into torch's autograd do: 0.3 s and 487 modules, in each process at its first update."""
    code = (
        "import sys; from tests.learning.test_actor_learner import ALONE, train_alone; "
        "train_alone(ALONE.replace(total_steps=20)); print('sympy' in sys.modules)"
    )
    assert run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout == "False\n"
