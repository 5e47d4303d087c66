"""Games by other rules than those of the training: each differs in what it names, and in nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.processes import benchmark_context
from benchmarks.evaluation import robustness
from benchmarks.evaluation.other_rules import OTHER_RULES, RANDOM_STEPS, ColourPreprocessor
from breakout_a3c.config import GameOptions
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.preprocessing import LAST, PREVIOUS
from breakout_a3c.playing.evaluation import GameMaker, Protocol, make_evaluation_environment
from breakout_a3c.playing.evaluation_pool import evaluate_on_all_cores
from breakout_a3c.saving.agent import load_agent

PROTOCOL = Protocol(episodes=1, max_episode_frames=20_000)
NOOPS = 30
STEPS = 60


class FlickeringEmulator:
    """Shows a red screen, a blue one, and so on."""

    def __init__(self) -> None:
        self._shown = 0

    def getScreenRGB(self) -> np.ndarray:
        self._shown += 1
        return np.full((210, 160, 3), (0, 0, 200) if self._shown % 2 else (200, 0, 0), np.uint8)


def begin(make_game: GameMaker) -> tuple[AtariGame, np.ndarray, int]:
    """Return a game with its first observation and the frames that were played."""
    game = make_game(GameOptions(), PROTOCOL)
    assert isinstance(game, AtariGame)
    observation, info = game.reset(seed=5)
    return game, observation, info["frames"]


def screens(make_game: GameMaker, actions: tuple[int, ...] = (0, 1, 2)) -> list[np.ndarray]:
    """Return the observations of a game in which actions are played in turn."""
    game, observation, _ = begin(make_game)
    return [observation, *(game.step(actions[step % len(actions)])[0] for step in range(STEPS))]


def test_no_ops_alone_are_the_rules_of_an_evaluation() -> None:
    own, evaluated = screens(OTHER_RULES["no-ops alone"]), screens(make_evaluation_environment)
    assert all(np.array_equal(*each) for each in zip(own, evaluated, strict=True))


def test_a_mirrored_game_is_the_game_with_left_and_right_exchanged() -> None:
    mirrored = screens(OTHER_RULES["mirrored screen"], (0, 2, 1))
    plain = screens(make_evaluation_environment)
    assert all(np.array_equal(each[:, ::-1], other) for each, other in zip(mirrored, plain, strict=True))
    assert not np.array_equal(plain[-1], plain[-1][:, ::-1])


def test_random_steps_come_first() -> None:
    make_game = OTHER_RULES["up to 200 random steps first"]
    frames = [make_game(GameOptions(), PROTOCOL).reset(seed=seed)[1]["frames"] for seed in range(4)]
    assert len(set(frames)) == 4
    assert max(frames) > NOOPS + 1
    assert all(1 < each <= NOOPS + 1 + (RANDOM_STEPS + 5) * 4 for each in frames)


@pytest.mark.parametrize("skip", [3, 5])
def test_steps_have_other_numbers_of_frames(skip: int) -> None:
    game, _, frames = begin(OTHER_RULES[f"frame skip {skip}"])
    assert game.step(1)[4]["frames"] == frames + skip


def test_actions_stick() -> None:
    assert begin(OTHER_RULES["sticky actions 0.25"])[0].sticky == 0.25


def test_a_stack_begins_with_black_frames() -> None:
    game, observation, _ = begin(OTHER_RULES["a stack of zeros at first"])
    assert not observation[..., :3].any()
    plain, expected, _ = begin(make_evaluation_environment)
    assert np.array_equal(observation[..., 3], expected[..., 3])
    for _ in range(4):
        observation, expected = game.step(1)[0], plain.step(1)[0]
    assert np.array_equal(observation, expected)


def test_a_life_begins_with_a_step_of_fire_and_one_of_right() -> None:
    _, observation, frames = begin(OTHER_RULES["FIRE and RIGHT at a life's start"])
    _, plain, plain_frames = begin(make_evaluation_environment)
    assert frames == plain_frames + 7
    assert not np.array_equal(observation, plain)


def test_gray_after_the_maximum_is_the_same_picture_on_breakout() -> None:
    theirs, ours = screens(OTHER_RULES["gray after the maximum"]), screens(make_evaluation_environment)
    assert all(np.array_equal(*each) for each in zip(theirs, ours, strict=True))
    preprocessor = ColourPreprocessor(FlickeringEmulator())  # type: ignore[arg-type]  # as far as it is used here
    for which in (PREVIOUS, LAST):
        preprocessor.see(which)
    preprocessor.push()
    red_and_blue_together = round(0.299 * 200 + 0.114 * 200)
    assert (preprocessor.observation()[..., 3] == red_and_blue_together).all()


def test_the_rules_reach_the_processes_that_play(checkpoint_path: Path) -> None:
    agent, protocol = load_agent(checkpoint_path), Protocol(episodes=2, max_episode_frames=400)
    lengths = {
        rules: [game.episode_length for game in result.games]
        for rules in ("no-ops alone", "frame skip 5")
        if (result := evaluate_on_all_cores(benchmark_context(), agent, protocol, len, OTHER_RULES[rules]))
    }
    assert max(lengths["frame skip 5"]) <= 80 < max(lengths["no-ops alone"]) <= 100


def test_the_table_has_a_row_for_all_rules(
    checkpoint_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "robustness.json"
    found = {"frame skip 5, sampled": {"mean": 12.0, "standard_error": 1.5, "truncated_games": 2}}
    output.write_text(json.dumps({"episodes": 2, "found": found}))
    arguments = ["robustness.py", "--model", str(checkpoint_path), "--output", str(output), "--draw"]
    monkeypatch.setattr("sys.argv", arguments)
    robustness.main()
    printed = capsys.readouterr().out
    assert "| frame skip 5 | 12.0 ± 1.5, 2 truncated | - |" in printed
    assert all(f"| {rules} |" in printed for rules in (*OTHER_RULES, robustness.THEIRS))
