"""A folder for a model hub, as the hub's own library reads it."""

import json
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from breakout_a3c.saving.agent import load_agent
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.saving.hub_folder import CARD, SETTINGS, WEIGHTS, environment_name, write_hub_folder
from breakout_a3c.saving.published import evaluation_of, load_model, save_model

EVALUATION = {
    "mean": 412.25,
    "std": 31.5,
    "episodes": 100,
    "policy": "sampled",
    "sticky": 0.0,
    "max_noops": 30,
    "max_episode_frames": 108_000,
}


@pytest.fixture(scope="module")
def folder(checkpoint_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub") / "new"
    model = folder.with_name("breakout.safetensors")
    save_model(load_checkpoint(checkpoint_path), EVALUATION, model)
    write_hub_folder(model, load_model(model), evaluation_of(model), folder)
    return folder


def test_the_hub_reads_the_card(folder: Path) -> None:
    card = ModelCard.load(folder / CARD)
    assert card.data.library_name == "breakout-a3c"
    assert card.data.pipeline_tag == "reinforcement-learning"
    assert {"reinforcement-learning", "a3c", "BreakoutNoFrameskip-v4"} <= set(card.data.tags)
    (result,) = card.data.eval_results
    assert result.metric_type == "mean_reward"
    assert result.metric_value == "412.25 +/- 31.50"
    assert result.dataset_name == "BreakoutNoFrameskip-v4"
    assert "commit" in card.text
    assert "100 whole games, sampled, sticky actions 0, up to 30 no-ops, at most 108,000 frames" in card.text


def test_the_head_of_the_card_is_yaml(folder: Path) -> None:
    head = (folder / CARD).read_text().split("---\n")[1]
    assert yaml.safe_load(head)["model-index"][0]["results"][0]["task"]["type"] == "reinforcement-learning"


def test_weights_and_settings_are_those_of_the_model(folder: Path, checkpoint_path: Path) -> None:
    found, expected = load_agent(folder / WEIGHTS), load_agent(checkpoint_path)
    assert all(a.equal(b) for a, b in zip(found.network.parameters(), expected.network.parameters(), strict=True))
    assert json.loads((folder / SETTINGS).read_text()) == expected.checkpoint.config.to_dict()


@pytest.mark.parametrize(
    ("game", "name"), [("space_invaders", "SpaceInvadersNoFrameskip-v4"), ("cartpole", "CartPole-v1")]
)
def test_a_game_has_the_hubs_name(game: str, name: str) -> None:
    assert environment_name(game) == name
