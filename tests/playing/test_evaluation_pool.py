"""An evaluation on all cores: the same games as in one process, and no hang when something ends."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from breakout_a3c.commands.play import PRELOAD
from breakout_a3c.errors import UserError
from breakout_a3c.playing.evaluation import PlayedGame, Protocol, evaluate
from breakout_a3c.playing.evaluation_pool import evaluate_on_all_cores
from breakout_a3c.processes.start import Context, process_context
from breakout_a3c.saving.agent import build_agent, load_agent
from tests.starting import START_METHOD

MODEL = Path(__file__).resolve().parents[2] / "models" / "breakout.safetensors"


@pytest.fixture(scope="module")
def context() -> Context:
    return process_context(START_METHOD, PRELOAD)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("cores", "episodes"), [(1, 3), (2, 5), (3, 2), (12, 13)])
def test_the_games_are_those_of_one_process(
    context: Context, cores: int, episodes: int, precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    agent = build_agent(load_agent(MODEL).checkpoint, MODEL, precision)
    protocol = Protocol(episodes=episodes, max_episode_frames=200)
    seen: list[int] = []
    result = evaluate_on_all_cores(context, agent, protocol, lambda played: seen.append(len(played)))
    assert result == evaluate(agent.network, agent.checkpoint.config.game, protocol)
    assert seen == list(range(1, episodes + 1))


def test_a_player_that_is_killed_ends_the_evaluation(context: Context, checkpoint_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def kill(played: list[PlayedGame]) -> None:
        for child in psutil.Process().children(recursive=True):
            if child.pid not in before:
                child.send_signal(signal.SIGKILL)

    with pytest.raises(UserError, match="was killed"):
        evaluate_on_all_cores(context, load_agent(checkpoint_path), Protocol(episodes=20), kill)


def test_an_error_in_a_player_is_shown(context: Context, checkpoint_path: Path) -> None:
    agent = load_agent(checkpoint_path)
    broken = replace(agent.checkpoint, config=agent.checkpoint.config.replace(game="brakeout", symmetric=False))
    with pytest.raises(RuntimeError, match="did you mean breakout"):
        evaluate_on_all_cores(context, replace(agent, checkpoint=broken), Protocol(episodes=2), lambda played: None)
