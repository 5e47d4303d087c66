"""Exported networks: the same numbers and the same games in onnxruntime, for a batch of any size."""

from typing import NamedTuple

import numpy as np
import onnxruntime
import pytest
import torch

from breakout_a3c.games.make import Game, make_environment
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.agent import build_agent
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.saving.onnx_export import write_onnx
from tests.conftest import save_untrained

STATES = 1000


class Exported(NamedTuple):
    """A network, its game, and what onnxruntime makes of its file."""

    network: ActorCritic
    game: Game
    session: onnxruntime.InferenceSession


@pytest.fixture(scope="module", params=["breakout", "paper", "cartpole"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("onnx")
    checkpoint = load_checkpoint(save_untrained(PRESETS[request.param].replace(precision="float32"), folder))
    network = build_agent(checkpoint, folder, torch.float32).network
    game = make_environment(checkpoint.config.game, seed=1, **({} if request.param == "cartpole" else FAST))
    write_onnx(network, torch.from_numpy(game.reset()[0]), folder / "agent.onnx")
    return Exported(network, game, onnxruntime.InferenceSession(folder / "agent.onnx"))


FAST = {"max_episode_frames": 2000}


def states_of(exported: Exported, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return observations of games that are played at random, and what might be remembered in them."""
    random = np.random.default_rng(0)
    observation, seen = exported.game.reset(seed=1)[0], []
    for _ in range(count):
        observation, _, terminated, truncated, _ = exported.game.step(random.integers(exported.network.num_actions))
        if terminated or truncated:
            observation = exported.game.reset()[0]
        seen.append(observation)
    size = exported.network.first_lstm_state(1).shape[1]
    return np.stack(seen), random.normal(size=(count, size)).astype(np.float32)


def run(exported: Exported, observations: np.ndarray, remembered: np.ndarray) -> list[np.ndarray]:
    memory = {"lstm_state": remembered} if exported.network.memory else {}
    return exported.session.run(None, {"observations": observations, **memory})


def test_logits_values_and_memory_are_those_of_the_network(exported: Exported) -> None:
    observations, remembered = states_of(exported, STATES)
    logits, values, *states = run(exported, observations, remembered)
    with torch.no_grad():
        expected = exported.network.act(torch.from_numpy(observations), lstm_state=torch.from_numpy(remembered))
    np.testing.assert_allclose(logits, expected[0], atol=1e-4)
    np.testing.assert_allclose(values, expected[1], atol=1e-4)
    assert len(states) == (exported.network.memory is not None)
    for state in states:
        np.testing.assert_allclose(state, expected[3], atol=1e-4)


@pytest.mark.parametrize("size", [1, 3])
def test_a_batch_may_have_any_size(exported: Exported, size: int) -> None:
    observations, remembered = states_of(exported, size)
    assert run(exported, observations, remembered)[0].shape == (size, exported.network.num_actions)


def test_a_greedy_game_is_the_same_to_its_end(exported: Exported) -> None:
    def play(decide: str) -> tuple[list[int], float]:
        """Return the actions of a game, and its score."""
        actions, score, over = [], 0.0, False
        observation, remembered = exported.game.reset(seed=2)[0], exported.network.first_lstm_state(1).numpy()
        while not over:
            if decide == "onnx":
                logits, _, *states = run(exported, observation[np.newaxis], remembered)
                remembered = states[0] if states else remembered
            else:
                with torch.no_grad():
                    found = exported.network.act(
                        torch.from_numpy(observation[np.newaxis]), lstm_state=torch.from_numpy(remembered)
                    )
                logits, remembered = found[0].numpy(), found[3].numpy()
            actions.append(int(logits.argmax()))
            observation, reward, terminated, truncated, info = exported.game.step(actions[-1])
            score, over = score + reward, terminated or truncated
            if info.get("life_lost"):
                remembered = remembered * 0
        return actions, score

    assert play("onnx") == play("torch")
