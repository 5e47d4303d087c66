"""Agents are built from checkpoints and models, with the parameters and the arithmetic of their training."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from breakout_a3c.errors import UserError
from breakout_a3c.saving.agent import build_agent, load_agent, load_weights
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from breakout_a3c.saving.published import save_model
from breakout_a3c.saving.weights import flat_weights


def parameters_of(path: Path) -> torch.Tensor:
    """Return the parameters that an agent plays with, as a checkpoint has them."""
    network = load_agent(path).network
    return flat_weights(dict(network.named_parameters()), network)


@pytest.fixture
def checkpoint(checkpoint_path: Path) -> Checkpoint:
    """Its newest parameters are others than those that play."""
    checkpoint = load_checkpoint(checkpoint_path)
    return replace(checkpoint, averaged_parameters=2 * checkpoint.parameters)


@pytest.mark.parametrize("name", ["one.pt", "one.safetensors"])
def test_what_plays_and_is_published_is_the_average(checkpoint: Checkpoint, tmp_path: Path, name: str) -> None:
    save_checkpoint(checkpoint, tmp_path / "one.pt")
    save_model(checkpoint, {}, tmp_path / "one.safetensors")
    assert torch.equal(parameters_of(tmp_path / name), 2 * checkpoint.parameters)
    assert load_weights(tmp_path / name).steps == checkpoint.steps


def test_an_agent_only_plays(checkpoint_path: Path) -> None:
    network = load_agent(checkpoint_path).network
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("trained", ["float32", "bfloat16"])
@pytest.mark.parametrize("hardware", [True, False], ids=["bf16 in hardware", "no bf16"])
def test_an_agent_plays_in_bf16_only_if_it_was_trained_so_and_the_cpu_has_it(
    trained: str, hardware: bool, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = checkpoint.config.replace(precision="auto")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": hardware}, raising=False)
    agent = build_agent(replace(checkpoint, config=config, precision=trained), Path("file.pt"))
    found = {parameter.dtype for parameter in agent.network.trunks.parameters()}
    assert found == {torch.bfloat16 if trained == "bfloat16" and hardware else torch.float32}


def test_parameters_of_another_network_are_refused(checkpoint: Checkpoint) -> None:
    other = replace(checkpoint, config=checkpoint.config.replace(symmetric=False))
    with pytest.raises(UserError, match=r"^file.pt has 470684 parameters, but .* has 1203508: it belongs"):
        build_agent(other, Path("file.pt"))


def test_a_checkpoint_of_a_game_that_is_not_there_is_refused(checkpoint: Checkpoint) -> None:
    other = replace(checkpoint, config=checkpoint.config.replace(game="brekout", symmetric=False, late_starts=0.0))
    with pytest.raises(UserError, match="did you mean breakout"):
        build_agent(other, Path("file.pt"))
