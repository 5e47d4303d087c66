import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from breakout_a3c.errors import UserError
from breakout_a3c.saving.agent import build_agent, load_agent, load_weights
from breakout_a3c.saving.checkpoints import load_checkpoint, save_checkpoint
from breakout_a3c.saving.published import load_model, save_model

REPOSITORY = Path(__file__).parents[2]
PUBLISHED = sorted((REPOSITORY / "models").glob("*.safetensors"))


@pytest.fixture
def model(checkpoint_path: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    digest = save_model(load_checkpoint(checkpoint_path), {"mean": 1.5}, path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    return path


def test_a_model_is_its_checkpoint_without_the_optimizer(model: Path, checkpoint_path: Path) -> None:
    found, expected = load_model(model), load_checkpoint(checkpoint_path)
    assert torch.equal(found.parameters, expected.parameters)
    assert not found.square_average.any()
    assert (found.config, found.steps, found.run) == (expected.config, expected.steps, expected.run)
    assert load_weights(model).steps == load_weights(checkpoint_path).steps


@pytest.mark.parametrize("kind", ["checkpoint", "model"])
def test_an_agent_has_the_parameters(model: Path, checkpoint_path: Path, kind: str) -> None:
    path = model if kind == "model" else checkpoint_path
    agent = load_agent(path)
    count = sum(parameter.numel() for parameter in agent.network.parameters())
    assert count == agent.checkpoint.parameters.numel()
    largest = max(float(parameter.abs().max()) for parameter in agent.network.parameters())
    assert largest == float(agent.checkpoint.parameters.abs().max())


@pytest.mark.parametrize("trained", ["float32", "bfloat16"])
@pytest.mark.parametrize("hardware", [True, False], ids=["bf16 in hardware", "no bf16"])
def test_an_agent_plays_in_bf16_only_if_it_was_trained_so_and_the_cpu_has_it(
    trained: str, hardware: bool, checkpoint_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = load_checkpoint(checkpoint_path)
    config = checkpoint.config.replace(precision="auto")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": hardware})
    agent = build_agent(replace(checkpoint, config=config, precision=trained), checkpoint_path)
    found = {parameter.dtype for parameter in agent.network.trunks.parameters()}
    assert found == {torch.bfloat16 if trained == "bfloat16" and hardware else torch.float32}


def test_what_plays_and_is_published_is_the_average(checkpoint_path: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(checkpoint_path)
    checkpoint = replace(checkpoint, averaged_parameters=2 * checkpoint.parameters)
    save_checkpoint(checkpoint, tmp_path / "one.pt")
    save_model(checkpoint, {}, tmp_path / "one.safetensors")
    for path in (tmp_path / "one.pt", tmp_path / "one.safetensors"):
        largest = max(float(parameter.abs().max()) for parameter in load_agent(path).network.parameters())
        assert largest == float(2 * checkpoint.parameters.abs().max())


def test_parameters_of_another_network_are_refused(checkpoint_path: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(checkpoint_path)
    path = tmp_path / "other.safetensors"
    save_model(replace(checkpoint, averaged_parameters=checkpoint.parameters[:-1]), {}, path)
    with pytest.raises(UserError, match="another game or network"):
        load_agent(path)


def test_truncated_anywhere(model: Path) -> None:
    whole = model.read_bytes()
    for length in random.Random(0).sample(range(len(whole)), 30):
        model.write_bytes(whole[:length])
        with pytest.raises(UserError):
            load_model(model)


@pytest.mark.parametrize(
    ("tensor", "header"),
    [
        (torch.zeros(3), {}),
        (torch.zeros(3, dtype=torch.float64), None),
        (torch.zeros(3, 1), None),
        (torch.full((3,), float("nan")), None),
    ],
)
def test_foreign_models_are_refused(model: Path, tensor: torch.Tensor, header: dict[str, str] | None) -> None:
    checkpoint = load_model(model)
    training = {
        name: getattr(checkpoint, name) for name in ("run", "steps", "updates", "games", "minutes", "precision")
    }
    ours = {
        "config": json.dumps(checkpoint.config.to_dict()),
        "training": json.dumps(training | {"command": "", "versions": {}}),
    }
    save_file({"parameters": tensor}, model, metadata=ours if header is None else header)
    with pytest.raises(UserError):
        load_model(model)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_a_published_model_is_the_one_of_its_card(path: Path) -> None:
    card = path.with_suffix(".md").read_text()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert f"{load_agent(path).checkpoint.steps:,}" in card
