"""Games, networks and reward rules of a user's own: registered, trained, played, and refused where they do not fit."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn

from breakout_a3c import (
    TrainConfig,
    UserError,
    extensions,
    load_extension,
    register_game,
    register_network,
    register_reward_rule,
)
from breakout_a3c.config import GameOptions
from breakout_a3c.extensions import REGISTERED_FOR
from breakout_a3c.games.gymnasium_game import GymnasiumGame
from breakout_a3c.games.learner_view import learner_view
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.presets import PRESETS
from breakout_a3c.training.needs import require_resources
from tests import running

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CATCH = ("--import", EXAMPLES / "own_game.py")
BAD_INPUT = 2


@pytest.fixture(autouse=True)
def nothing_stays_registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(extensions, "_files", {})
    yield
    for registered in REGISTERED_FOR.values():
        registered.clear()


class Walk(gymnasium.Env[Any, Any]):
    """A walk on a line, whose games can be saved."""

    action_space = Discrete(2)
    observation_space = Box(-100, 100, (1,), np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.place = 0
        return np.array([0.0]), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place += 2 * action - 1
        return np.array([float(self.place)]), 1.0, False, False, {}


class SavedWalk(Walk):
    def state(self) -> dict[str, Any]:
        return {"place": np.array(self.place)}

    def restore(self, state: dict[str, Any]) -> Any:
        self.place = int(state["place"])
        return np.array([float(self.place)])


def run(program: str, *arguments: object, folder: Path) -> CompletedProcess[str]:
    command = [sys.executable, str(ROOT / program), *map(str, arguments)]
    return running.run(command, capture_output=True, text=True, cwd=folder)


@pytest.fixture(scope="module")
def caught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short training of the example's game."""
    folder = tmp_path_factory.mktemp("catch")
    training = ("--preset", "cartpole", "--game", "catch", "--total-steps", "60000", "--eval-minutes", "0")
    done = run("train.py", *CATCH, *training, folder=folder)
    assert done.returncode == 0, done.stderr
    assert f"play.py {next(folder.glob('checkpoints/*/step_*.pt')).relative_to(folder)} --import" in done.stdout
    return folder


def test_a_game_of_ones_own_is_learned(caught: Path) -> None:
    done = run("play.py", "checkpoints/latest.pt", *CATCH, "--episodes", 100, "--json", folder=caught)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["mean"] > 0.45, "at random it catches a quarter"
    assert facts["action_names"] == ["LEFT", "STAY", "RIGHT"]
    assert facts["sticky"] is None


@pytest.mark.slow
def test_it_is_recorded_and_goes_on(caught: Path) -> None:
    done = run("play.py", "checkpoints/latest.pt", *CATCH, "--record", "catch.gif", folder=caught)
    assert done.returncode == 0, done.stderr
    done = run("train.py", *CATCH, "--resume", "checkpoints/latest.pt", "--total-steps", "65000", folder=caught)
    assert done.returncode == 0, done.stderr
    assert "It goes on with the run cartpole-catch-" in done.stdout


@pytest.mark.parametrize(
    ("program", "arguments", "sentence"),
    [
        ("play.py", ("checkpoints/latest.pt",), "--import FILE for a game of your own."),
        ("play.py", ("checkpoints/latest.pt", *CATCH, "--sticky", "0.25"), "--sticky is for Atari games"),
        ("train.py", (*CATCH, "--game", "catch"), "network paper sees (84, 84, 4), and the game shows (3,): use mlp."),
        ("train.py", ("--import", "missing.py"), "missing.py is no Python file: give --import the file"),
        ("train.py", ("--import", "checkpoints"), "checkpoints is no Python file: give --import the file"),
        ("train.py", ("--reward-rule", "roots"), "there is no reward rule 'roots': give --import and the file"),
        ("train.py", ("--network", "wide"), "argument --network: invalid choice: 'wide'"),
    ],
)
def test_a_mistake_is_a_sentence(caught: Path, program: str, arguments: tuple[object, ...], sentence: str) -> None:
    done = run(program, *arguments, folder=caught)
    assert done.returncode == BAD_INPUT, done.stdout
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_network_and_a_reward_rule_of_ones_own_are_trained(tmp_path: Path) -> None:
    own = ("--import", EXAMPLES / "own_network.py", "--import", EXAMPLES / "own_reward.py")
    training = (
        "--network",
        "wide",
        "--reward-rule",
        "roots",
        "--no-symmetric",
        "--threads",
        1,
        "--envs",
        4,
        "--total-steps",
        500,
    )
    done = run("train.py", *own, *training, "--eval-minutes", 0, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    own_network = ("--import", EXAMPLES / "own_network.py")  # the rule is the learner's alone
    done = run("play.py", "checkpoints/latest.pt", *own_network, "--episodes", 1, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_learner_sees_rewards_by_the_rule() -> None:
    load_extension(EXAMPLES / "own_reward.py")
    options = GameOptions(reward_rule="roots", reward_scale=10.0)

    def seen(reward: float, life_lost: bool) -> float:
        return learner_view(reward, game_over=False, life_lost=life_lost, steps_since_reward=0, options=options).reward

    assert [seen(4.0, False), seen(-9.0, False), seen(0.0, True)] == [20.0, -30.0, -20.0]


def test_a_game_that_cannot_be_saved_begins_anew() -> None:
    register_game("walk", Walk)
    register_game("saved-walk", SavedWalk)
    for name, place in (("walk", 0.0), ("saved-walk", 3.0)):
        game, other = (GymnasiumGame(REGISTERED_FOR["game"][name]()) for _ in range(2))
        game.reset()
        other.reset()
        for _ in range(3):
            observation, *_ = game.step(np.int64(1))
        assert observation.dtype == np.float32
        assert other.restore(game.state()).tolist() == [place]
        assert game.action_names == ("0", "1")


@pytest.mark.parametrize(
    ("attribute", "space"), [("action_space", Box(0, 1, (1,))), ("observation_space", Discrete(3))], ids=str
)
def test_a_game_of_another_kind_is_refused(attribute: str, space: gymnasium.Space[Any]) -> None:
    game = Walk()
    setattr(game, attribute, space)
    with pytest.raises(UserError, match=r"A3C here needs gymnasium\.spaces\."):
        GymnasiumGame(game)


def test_a_network_sees_channels_first_from_0_to_1_and_learns_by_its_parameters() -> None:
    seen: list[torch.Tensor] = []

    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4 * 84 * 84, 6)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            seen.append(pixels)
            return self.layer(pixels.flatten(1))

    shapes: list[tuple[int, ...]] = []
    register_network("looking", lambda shape: shapes.append(shape) or Looking())
    network = ActorCritic("looking", (84, 84, 4), 3)
    assert shapes == [(4, 84, 84)]
    screens = torch.randint(256, (2, 84, 84, 4), dtype=torch.uint8)
    logits, _, cached, _ = network.act(screens)
    assert torch.equal(seen[-1], screens.permute(0, 3, 1, 2) / 255)
    (features,) = network.features_from_cache(screens, cached)
    features.sum().backward()
    assert all(parameter.grad is not None for parameter in network.trunks.parameters())
    assert logits.shape == (2, 3)


def test_a_network_with_other_outputs_is_refused() -> None:
    register_network("maps", lambda shape: nn.Conv2d(shape[0], 2, 8))
    with pytest.raises(UserError, match=r"maps two observations to \(2, 2, 77, 77\): it must be \(2, features\)"):
        ActorCritic("maps", (84, 84, 4), 3)


def test_a_network_of_ones_own_is_not_symmetric() -> None:
    register_network("own", lambda shape: nn.Flatten())
    with pytest.raises(UserError, match="network own has no left and right: give --no-symmetric"):
        TrainConfig().replace(network="own")
    with pytest.raises(UserError, match=r"choose one of paper, .*, mlp, own, or give --import FILE"):
        TrainConfig().replace(network="other", symmetric=False)


def test_a_rule_that_nobody_registered_is_refused_before_a_training() -> None:
    with pytest.raises(UserError, match="there is no reward rule 'mine'"):
        require_resources(PRESETS["cartpole"].replace(reward_rule="mine"))


@pytest.mark.parametrize(
    ("register", "name", "value", "sentence"),
    [
        (register_game, "pong", Walk, "the program has something called pong"),
        (register_network, "lstm", nn.Flatten, "the program has something called lstm"),
        (register_game, "my game", Walk, "'my game' is no name"),
        (register_reward_rule, "double", 2.0, "double is registered as 2.0: give a function"),
    ],
)
def test_a_name_or_value_that_does_not_fit_is_a_sentence(register: Any, name: str, value: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        register(name, value)


def test_a_file_that_fails_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("1 / 0")
    done = run("train.py", "--import", "wrong.py", folder=tmp_path)
    assert done.returncode == BAD_INPUT
    assert done.stderr == "train.py: wrong.py ended by an error (ZeroDivisionError: division by zero): mend it.\n"
