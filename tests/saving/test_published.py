"""Published models: named weights in a file that runs no code, and the older form with one tensor."""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from breakout_a3c.errors import UserError
from breakout_a3c.saving import published
from breakout_a3c.saving.agent import load_agent
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.saving.published import load_model, save_model
from breakout_a3c.saving.weights import named_weights, network_of

REPOSITORY = Path(__file__).parents[2]
PUBLISHED = sorted((REPOSITORY / "models").glob("*.safetensors"))


@pytest.fixture
def model(checkpoint_path: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    digest = save_model(load_checkpoint(checkpoint_path), {"mean": 1.5}, path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    return path


def header_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


def refusal(path: Path) -> str:
    """Return the sentence with which a model is refused."""
    with pytest.raises(UserError) as caught:
        load_model(path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < len(str(path)) + 200
    return sentence


def test_a_model_is_its_checkpoint_without_the_optimizer(model: Path, checkpoint_path: Path) -> None:
    found, expected = load_model(model), load_checkpoint(checkpoint_path)
    assert torch.equal(found.parameters, expected.averaged_parameters)
    assert torch.equal(found.averaged_parameters, expected.averaged_parameters)
    assert not found.square_average.any()
    assert (found.config, found.steps, found.run) == (expected.config, expected.steps, expected.run)
    assert (found.updates, found.games, found.minutes) == (expected.updates, expected.games, expected.minutes)


def test_a_model_holds_the_layers_of_its_network_and_tells_of_its_evaluation(model: Path) -> None:
    tensors, network = load_file(model), network_of(load_model(model).config)
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        name: tuple(parameter.shape) for name, parameter in network.named_parameters()
    }
    header = header_of(model)
    assert set(header) == {"config", "training", "evaluation"}
    assert json.loads(header["evaluation"]) == {"mean": 1.5}
    assert json.loads(header["config"])["game"] == "breakout"


def test_weights_that_do_not_fit_are_not_published(checkpoint_path: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(checkpoint_path)
    shorter = checkpoint.parameters[:-1]
    with pytest.raises(ValueError, match="the checkpoint has 470683 parameters, and its network 470684"):
        save_model(replace(checkpoint, parameters=shorter, averaged_parameters=shorter), {}, tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_truncated_anywhere(model: Path) -> None:
    whole = model.read_bytes()
    for length in random.Random(0).sample(range(len(whole)), 30):
        model.write_bytes(whole[:length])
        assert "is damaged or not a model of this program" in refusal(model)


Tensors = dict[str, Tensor]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop("heads.value.bias"), "there is no layer 'heads.value.bias'"),
        (lambda tensors: tensors.update(colour=torch.zeros(3)), "the network has no layer 'colour'"),
        (lambda tensors: tensors.update(parameters=torch.zeros(338_588)), "the network has no layer 'parameters'"),
        (lambda tensors: tensors.update({"\n" + "x" * 10_000: torch.zeros(3)}), r"the network has no layer '\nx"),
        (lambda tensors: tensors.update({"heads.value.bias": torch.zeros(1, 1)}), "heads.value.bias is (1, 1)"),
        (lambda tensors: tensors.update({"heads.value.bias": torch.zeros(1).double()}), "torch.float64, not (1,)"),
        (lambda tensors: tensors.update({"heads.value.bias": torch.tensor([torch.nan])}), "(parameters)"),
        (lambda tensors: tensors.clear(), "there is no layer"),
    ],
    ids=["a layer less", "one more", "both forms", "long name", "shape", "type", "not finite", "nothing"],
)
def test_other_layers_than_the_networks_are_refused(
    model: Path, change: Callable[[Tensors], object], words: str
) -> None:
    tensors, header = load_file(model), header_of(model)
    change(tensors)
    save_file(tensors, model, metadata=header)
    assert words in refusal(model)


@pytest.mark.parametrize(
    "tensor",
    [torch.zeros(3, dtype=torch.float64), torch.zeros(3, 1), torch.full((3,), torch.nan)],
    ids=["type", "shape", "not finite"],
)
def test_one_tensor_that_is_no_vector_of_numbers_is_refused(model: Path, tensor: Tensor) -> None:
    save_file({"parameters": tensor}, model, metadata=header_of(model))
    assert "(parameters)" in refusal(model)


def test_one_tensor_of_another_size_fits_no_network(model: Path) -> None:
    save_file({"parameters": torch.zeros(3)}, model, metadata=header_of(model))
    with pytest.raises(UserError, match=r"has 3 parameters, but .* has 470684: it belongs to another game or network"):
        load_agent(model)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"training": None}, "damaged"),
        ({"config": "no JSON"}, "damaged"),
        ({"config": "[" * 100_000}, "damaged"),
        ({"config": "[]"}, "damaged"),
        ({"config": json.dumps({"game": ["breakout"]})}, "damaged"),
        ({"config": json.dumps({"warp": 9})}, "unknown settings 'warp'"),
        ({"config": json.dumps({"threads": 0})}, "--threads is 0"),
        ({"training": "{}"}, "damaged"),
    ],
)
def test_a_header_that_no_publishing_writes_is_refused(model: Path, change: dict[str, Any], words: str) -> None:
    header = {name: value for name, value in (header_of(model) | change).items() if value is not None}
    save_file(load_file(model), model, metadata=header)
    assert words in refusal(model)


def test_impossible_facts_of_the_training_are_refused_by_their_names(model: Path) -> None:
    header, tensors = header_of(model), load_file(model)
    for name, value in (("steps", -1), ("minutes", float("nan")), ("run", "../up"), ("versions", [])):
        training = json.dumps(json.loads(header["training"]) | {name: value})
        save_file(tensors, model, metadata=header | {"training": training})
        assert f"({name})" in refusal(model)


def test_missing_and_large(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="there is no model at"):
        load_model(tmp_path / "nothing.safetensors")
    monkeypatch.setattr(published, "MAX_BYTES", 1000)
    assert "is larger than any model of this program" in refusal(model)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_a_published_model_is_the_one_of_its_card(path: Path) -> None:
    card = path.with_suffix(".md").read_text()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    agent = load_agent(path)
    assert f"{agent.checkpoint.steps:,}" in card
    assert set(load_file(path)) == set(named_weights(agent.checkpoint.parameters, network_of(agent.checkpoint.config)))


def test_a_model_of_too_many_layers_is_refused_before_they_are_read(model: Path, tmp_path: Path) -> None:
    with safe_open(model, "pt") as file:
        header = file.metadata()
    many = tmp_path / "many.safetensors"
    save_file({f"layer {i}": torch.zeros(1) for i in range(101)}, many, metadata=header)
    with pytest.raises(UserError, match="is damaged or not a model of this program: fetch it again"):
        load_model(many)
