"""All of a GPU but its arithmetic: on a pretended device an actor-learner learns what it learns on the CPU."""

from multiprocessing import Pipe

import pytest
import safetensors.torch
import torch

from benchmarks.speed.device_check import gradient_on
from breakout_a3c.config import TrainConfig
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning import actor_learner
from breakout_a3c.learning.actor_learner import learn
from breakout_a3c.learning.networks import make_network
from breakout_a3c.learning.reports import ReportSender
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import PRESETS
from tests.pretended_device import COMPUTED, pretended_device

# The CPU's own convolution, which looks at changed pixels alone, rounds otherwise: not with a black background.
SHORT = PRESETS["breakout"].replace(
    threads=1, envs=2, total_steps=20, final_rollout_length=5, precision="float32", background="black", late_starts=0.0
)


Learned = tuple[torch.Tensor, bytes]


def learned_here(config: TrainConfig, play_state: bytes = b"") -> Learned:
    """Return the parameters after a short run of one actor-learner in this process, and where its games stand."""
    torch.manual_seed(0)
    shared = SharedParameters.of_network(make_network(config.network, make_environment(config.game)), config)
    begun_from = shared.parameters.clone()
    _reader, writer = Pipe(duplex=False)
    play_state = learn(config, shared, 0, ReportSender(0, writer), play_state)
    assert not torch.equal(shared.parameters, begun_from)
    return shared.parameters, play_state


def learned_there(config: TrainConfig, monkeypatch: pytest.MonkeyPatch, play_state: bytes = b"") -> Learned:
    """Return the same where the layers compute on a pretended device."""
    with pretended_device() as device, monkeypatch.context() as patched:
        patched.setattr(actor_learner, "device_of", lambda name: {"cuda": device}[name])
        learned = learned_here(config.replace(device="cuda"), play_state)
    assert {"aten::mm", "aten::addmm"} <= COMPUTED, "acting and the gradient computed there"
    return learned


def assert_same(there: Learned, here: Learned) -> None:
    """Assert that parameters and games are those of the CPU; LSTM cells round otherwise there."""
    torch.testing.assert_close(there[0], here[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(safetensors.torch.load(there[1]), safetensors.torch.load(here[1]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("network", ["paper", "nature", "lstm", "nature-lstm"])
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "free"])
def test_each_network_learns_the_same(network: str, symmetric: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    config = SHORT.replace(network=network, symmetric=symmetric)
    assert_same(learned_there(config, monkeypatch), learned_here(config))


@pytest.mark.parametrize(
    "settings",
    [
        {"algorithm": "a2c"},
        {"separate_value_network": True, "network": "paper"},
        {"max_episode_frames": 100, "total_steps": 60},  # a truncated game's last state has a value
        {"precision": "bf16", "network": "paper"},
        {"max_kl": None, "max_value_change": None, "optimizer": "adam"},
    ],
    ids=str,
)
def test_each_feature_works_there(settings: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    config = SHORT.replace(**settings)
    assert_same(learned_there(config, monkeypatch), learned_here(config))


@pytest.mark.parametrize("settings", [{}, {"network": "paper"}, {"symmetric": False}, {"background": "black"}], ids=str)
def test_the_gradient_is_the_same(settings: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    config = PRESETS["breakout"].replace(envs=2, precision="float32", **settings)
    here = gradient_on("cpu", config)
    with pretended_device() as device:
        monkeypatch.setattr(actor_learner, "device_of", lambda name: {"cuda": device}[name])
        there = gradient_on("cuda", config)
    assert here.norm() > 1e-3
    torch.testing.assert_close(there, here, atol=1e-5 * float(here.norm()), rtol=1e-3)


def test_cartpole_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PRESETS["cartpole"].replace(threads=1, total_steps=400)
    assert_same(learned_there(config, monkeypatch), learned_here(config))


def test_games_that_were_played_here_go_on_there(monkeypatch: pytest.MonkeyPatch) -> None:
    _, play_state = learned_here(SHORT)
    assert_same(learned_there(SHORT, monkeypatch, play_state), learned_here(SHORT, play_state))


def test_the_pretended_device_bears_no_tensor_of_another() -> None:
    with pretended_device() as device:
        there = torch.ones(2, device=device)
        with pytest.raises(RuntimeError, match="two devices"):
            there + torch.ones(2)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
        assert (there + 1).cpu().tolist() == [2, 2]
