"""Weights by their layers' names, as any torch program reads them, and as the flat vector of a training."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.atari import usual_screen
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.presets import BREAKOUT, CARTPOLE_A3C
from breakout_a3c.saving.agent import build_agent
from breakout_a3c.saving.published import load_model
from breakout_a3c.saving.weights import flat_weights, named_weights, network_of

CONFIGS = {
    "lstm, symmetric": BREAKOUT,
    "lstm": BREAKOUT.replace(symmetric=False),
    "paper, symmetric": BREAKOUT.replace(network="paper"),
    "paper": BREAKOUT.replace(network="paper", symmetric=False),
    "nature": BREAKOUT.replace(symmetric=False, network="nature"),
    "nature, symmetric": BREAKOUT.replace(network="nature"),
    "paper, separate value network": BREAKOUT.replace(network="paper", symmetric=False, separate_value_network=True),
    "mlp": CARTPOLE_A3C,
    "mlp, separate value network": CARTPOLE_A3C.replace(separate_value_network=True),
}
EACH_NETWORK = pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))


def size_of(network: ActorCritic) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@EACH_NETWORK
def test_named_weights_become_the_same_vector_again(config: TrainConfig) -> None:
    network = network_of(config)
    flat = torch.arange(size_of(network), dtype=torch.float32)  # each number is another one
    named = named_weights(flat, network)
    assert set(named) == set(network.state_dict())
    assert all(weight.is_contiguous() and weight.dtype == torch.float32 for weight in named.values())
    assert torch.equal(flat_weights(named, network), flat)


@EACH_NETWORK
def test_the_vector_is_that_of_a_training(config: TrainConfig) -> None:
    """What a state_dict loads by name is what an actor-learner pulls."""
    pulled, loaded = network_of(config), network_of(config)
    local = LocalParameters(pulled)
    flat = torch.randn(local.size, generator=torch.Generator().manual_seed(0))
    local.pull(flat)
    loaded.load_state_dict(named_weights(flat, loaded))
    for name, weight in pulled.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name]), name
    assert torch.equal(flat_weights(loaded.state_dict(), loaded), flat)


def test_named_weights_have_memory_of_their_own() -> None:
    network = network_of(CARTPOLE_A3C)
    flat = torch.zeros(size_of(network))
    for weight in named_weights(flat, network).values():
        weight.fill_(1.0)
    assert not flat.any()


class HeightWidthChannel(nn.Module):
    """What the first dense layer reads: ``(B, C, H, W)`` as ``(B, H, W, C)``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


@torch.no_grad()
def test_plain_torch_computes_the_same_from_them() -> None:
    """Another program needs the names, and the order in which the dense layer reads: nothing of this package."""
    network = network_of(CONFIGS["paper"])
    local = LocalParameters(network)
    flat = local.float32_parameters() + 0.02 * torch.randn(local.size, generator=torch.Generator().manual_seed(0))
    local.pull(flat)

    named = named_weights(flat, network)
    trunk = nn.Sequential(
        nn.Conv2d(4, 16, 8, stride=4), nn.ReLU(), nn.Conv2d(16, 32, 4, stride=2), nn.ReLU(),
        HeightWidthChannel(), nn.Flatten(), nn.Linear(9 * 9 * 32, 256), nn.ReLU(),
    )  # fmt: skip
    policy, value = nn.Linear(256, 3), nn.Linear(256, 1)
    layers: dict[str, nn.Module] = {
        "trunks.0.convolutions.0": trunk[0],
        "trunks.0.convolutions.1": trunk[2],
        "trunks.0.dense": trunk[6],
        "heads.policy": policy,
        "heads.value": value,
    }
    for name, layer in layers.items():
        layer.load_state_dict({kind: named.pop(f"{name}.{kind}") for kind in ("weight", "bias")})
    assert not named, "there are no other weights"

    screens = torch.randint(0, 256, (8, 84, 84, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    pixels = screens.permute(0, 3, 1, 2).float() - torch.from_numpy(usual_screen("breakout"))  # its background
    features = trunk(pixels / 255)
    logits, values = network(screens)
    assert logits.std(dim=0).min() > 1e-3, "all rows are alike"
    torch.testing.assert_close(policy(features), logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(value(features)[:, 0], values, atol=1e-5, rtol=0)


@contextmanager
def refused(words: str) -> Iterator[None]:
    """Expect a ValueError, short enough for a sentence."""
    with pytest.raises(ValueError, match=words) as caught:
        yield
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_weights_that_are_not_the_networks_are_refused() -> None:
    network = network_of(CARTPOLE_A3C)
    named = named_weights(torch.zeros(size_of(network)), network)
    with refused(r"there is no layer 'heads\.policy\.bias'"):
        flat_weights({name: weight for name, weight in named.items() if name != "heads.policy.bias"}, network)
    with refused("the network has no layer 'colour'"):
        flat_weights(named | {"colour": torch.zeros(3)}, network)
    with refused(r"the network has no layer 'line\\nbreak"):
        flat_weights(named | {"line\nbreak" * 1000: torch.zeros(3)}, network)
    with refused(r"heads\.policy\.bias is \(2, 1\) torch\.float32, not \(2,\) torch\.float32"):
        flat_weights(named | {"heads.policy.bias": torch.zeros(2, 1)}, network)
    with refused(r"heads\.policy\.bias is \(2,\) torch\.bfloat16, not \(2,\) torch\.float32"):
        flat_weights(named | {"heads.policy.bias": torch.zeros(2, dtype=torch.bfloat16)}, network)
    with refused(r"heads\.policy\.bias is \(1, 1, "):
        flat_weights(named | {"heads.policy.bias": torch.zeros([1] * 500)}, network)


def test_the_example_of_plain_pytorch_plays_as_the_published_model(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    (example,) = re.findall(r"```python\n(.*?)```", (root / "models" / "README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    checkpoint = load_model(Path("models/breakout.safetensors"))
    network = build_agent(replace(checkpoint, precision="float32"), Path("a test")).network
    frames = torch.randint(0, 256, (8, 84, 84, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    logits, values = network(frames)
    probabilities, plain_values = names["policy_and_value"](frames.permute(0, 3, 1, 2))
    torch.testing.assert_close(probabilities, logits.softmax(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(plain_values, values, atol=1e-5, rtol=0)
