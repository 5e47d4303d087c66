"""An evaluation on all cores: the same games as in one process, and no hang when something ends."""

import itertools
import signal
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import psutil
import pytest
import torch

from breakout_a3c.commands.play import PRELOAD
from breakout_a3c.errors import UserError
from breakout_a3c.playing import evaluation_pool
from breakout_a3c.playing.evaluation import BATCH_ROWS, PlayedGame, Protocol, play_games, summarise, take_next
from breakout_a3c.playing.evaluation_pool import evaluate_on_all_cores, players_that_fit, what_plays
from breakout_a3c.processes.start import Context, process_context
from breakout_a3c.saving.agent import Agent, build_agent, load_agent
from tests.starting import START_METHOD

MODEL = Path(__file__).resolve().parents[2] / "models" / "breakout.safetensors"
MAX_EPISODE_FRAMES = 160  # the ball has been hit in some games, and not in others


@pytest.fixture(scope="module")
def context() -> Context:
    return process_context(START_METHOD, PRELOAD)


@cache
def played_by_one_process(precision: torch.dtype) -> tuple[Agent, list[PlayedGame]]:
    """Return a player, and the first 6 games that it plays in one process."""
    agent, numbers = build_agent(load_agent(MODEL).checkpoint, MODEL, precision), list(range(6))
    rules = Protocol(max_episode_frames=MAX_EPISODE_FRAMES)
    ended = play_games(agent.network, agent.checkpoint.config.game, rules, BATCH_ROWS, partial(take_next, numbers))
    return agent, sorted(itertools.chain(*ended))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("cores", "episodes"), [(1, 3), (2, 5), (3, 2), (5, 6)])
def test_the_games_are_those_of_one_process(
    context: Context, cores: int, episodes: int, precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation_pool, "usable_cores", lambda: cores)
    agent, expected = played_by_one_process(precision)
    protocol = Protocol(episodes=episodes, max_episode_frames=MAX_EPISODE_FRAMES)
    seen: list[list[PlayedGame]] = []
    result = evaluate_on_all_cores(context, agent, protocol, lambda played: seen.append(list(played)))
    assert [len(played) for played in seen] == list(range(1, episodes + 1))
    assert sorted(seen[-1]) == expected[:episodes]
    assert result == summarise(protocol, expected[:episodes])
    assert result.distinct_games == episodes


def test_a_player_that_is_killed_ends_the_evaluation(
    context: Context, checkpoint_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation_pool, "usable_cores", lambda: 2)
    protocol = Protocol(episodes=20, max_episode_frames=MAX_EPISODE_FRAMES)  # more games than play at once
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def kill(played: list[PlayedGame]) -> None:
        for child in psutil.Process().children(recursive=True):
            if child.pid not in before:
                child.send_signal(signal.SIGKILL)

    words = r"was killed \(SIGKILL\), perhaps by the kernel for want of memory: free some"
    with pytest.raises(UserError, match=words):
        evaluate_on_all_cores(context, load_agent(checkpoint_path), protocol, kill)


def test_an_error_in_a_player_is_shown(context: Context, checkpoint_path: Path) -> None:
    agent = load_agent(checkpoint_path)
    broken = replace(
        agent.checkpoint, config=agent.checkpoint.config.replace(game="brakeout", symmetric=False, late_starts=0.0)
    )
    with pytest.raises(RuntimeError, match="did you mean breakout"):
        evaluate_on_all_cores(context, replace(agent, checkpoint=broken), Protocol(episodes=2), lambda played: None)


@pytest.mark.parametrize(("files", "memory", "players"), [(2, 10**12, 2), (500, 350 * 2**20, 3), (0, 0, 1)])
def test_there_are_as_many_players_as_fit(
    files: int, memory: int, players: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation_pool, "children_that_fit", lambda: files)
    monkeypatch.setattr(evaluation_pool, "free_memory", lambda: memory)
    assert players_that_fit() == players


def test_what_a_training_needs_to_go_on_is_not_sent(context: Context, checkpoint_path: Path) -> None:
    """Each tensor is a file, and multiprocessing passes at most 252 of them on."""
    agent = load_agent(checkpoint_path)
    states = [torch.ones(10, dtype=torch.uint8) for _ in range(300)]
    saved = replace(agent, checkpoint=replace(agent.checkpoint, play_states=states))
    protocol = Protocol(episodes=1, max_episode_frames=200)
    assert len(evaluate_on_all_cores(context, saved, protocol, lambda played: None).games) == 1
    plain = what_plays(saved.checkpoint)
    assert plain.parameters is plain.averaged_parameters is agent.checkpoint.averaged_parameters
