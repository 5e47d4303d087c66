"""play.py as a user runs it, and that the games shown are the games evaluated."""

import itertools
import json
import os
import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pygame
import pytest

from breakout_a3c.commands import play
from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.evaluation import Protocol, evaluate
from breakout_a3c.playing.player import Player
from breakout_a3c.playing.recording import RecordingOnDemand
from breakout_a3c.playing.report import TABLE
from breakout_a3c.playing.show import show_game
from breakout_a3c.playing.window import Window
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.saving.agent import load_agent
from tests import running
from tests.conftest import save_untrained

ROOT = Path(__file__).parents[2]
BAD_INPUT = 2


def run(*arguments: object, folder: Path = ROOT, **environment: str) -> CompletedProcess[str]:
    without_display = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return running.run(
        [sys.executable, str(ROOT / "play.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=without_display | environment,
    )


def test_json_is_one_object_with_all_that_a_score_needs(checkpoint_path: Path) -> None:
    done = run(checkpoint_path, "--episodes", 2, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    facts = json.loads(done.stdout)
    assert len(facts["scores"]) == facts["episodes"] == 2
    assert facts["mean"] == sum(facts["scores"]) / 2
    assert facts["min"] <= facts["median"] <= facts["max"]
    assert facts["std"] >= 0
    assert facts["standard_error"] == pytest.approx(facts["std"] / 2**0.5)
    expected = {
        "model": str(checkpoint_path),
        "game": "breakout",
        "steps": 12_345,
        "action_names": ["FIRE", "RIGHT", "LEFT"],
        "auto_fire": True,
        "policy": "sampled",
        "sticky": 0.0,
        "max_noops": 30,
        "max_episode_frames": 108_000,
        "seed": 0,
    }
    assert {name: facts[name] for name in expected} == expected


def test_the_table_names_the_protocol(checkpoint_path: Path) -> None:
    done = run(checkpoint_path, "--episodes", 2, "--greedy", "--seed", 3)
    assert done.returncode == 0, done.stderr
    rows = {line[:16].strip(): line[16:] for line in done.stdout.splitlines()}
    assert set(rows) == set(TABLE)
    assert rows["steps trained"] == "12,345"
    assert rows["actions"] == "FIRE, RIGHT, LEFT"
    assert rows["policy"] == "greedy"
    assert rows["seed"] == "3"
    assert rows["games"] == "2"
    assert rows["standard error"].startswith("- (greedy")
    assert rows["arithmetic"] == "float32"
    assert "ale-py " in rows["versions"]


def test_cartpole_is_evaluated_without_the_rules_of_the_emulator(cartpole_checkpoint_path: Path) -> None:
    done = run(cartpole_checkpoint_path, "--episodes", 3)
    assert done.returncode == 0, done.stderr
    rows = {line[:16].strip(): line[16:] for line in done.stdout.splitlines()}
    assert rows["actions"] == "LEFT, RIGHT"
    assert not {"auto-FIRE", "no-ops", "sticky", "sticky, trained", "frame cap"} & set(rows)


@pytest.mark.parametrize(("arguments", "sticky"), [([], 0.25), (["--sticky", "0"], 0.0), (["--sticky", "0.5"], 0.5)])
def test_an_agent_plays_as_sticky_as_it_was_trained_unless_told_otherwise(
    arguments: list[str], sticky: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = save_untrained(BREAKOUT.replace(sticky=0.25, max_noops=0, precision="float32"), tmp_path)
    monkeypatch.setattr(sys, "argv", ["play.py", str(model), *arguments])
    _, protocol = play.load(play.parse_options(), default_episodes=3)
    assert protocol == Protocol(episodes=3, sticky=sticky, max_noops=0)


def test_a_recorded_beginning_prints_nothing_on_stderr(checkpoint_path: Path, tmp_path: Path) -> None:
    """The emulator's bindings list on stderr the objects that are alive when Python ends."""
    done = run(checkpoint_path, "--record", tmp_path / "game.gif", "--seconds", 1)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_cartpole_is_recorded(cartpole_checkpoint_path: Path, tmp_path: Path) -> None:
    done = run(cartpole_checkpoint_path, "--record", tmp_path / "pole.gif", "--episodes", 2)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    file, scores = done.stdout.splitlines()
    assert file.startswith(f"{tmp_path / 'pole.gif'}: 0:0")
    assert scores.startswith("2 games, score ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--render", "--record", "game.mp4"),
        ("--json", "--render"),
        ("--json", "--record", "game.mp4"),
        ("--episodes", "0"),
        ("--episodes", "10001"),
        ("--episodes", "many"),
        ("--seed", "100000"),
        ("--seed", "-1"),
        ("--sticky", "1.5"),
        ("--sticky", "nan"),
        ("--seconds", "5"),
        ("--no-panel",),
        ("--record", "game.avi"),
        ("--record", "missing/game.mp4"),
        ("--render",),  # there is no display
        ("missing.pt",),
        ("--bogus",),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_sentence_and_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, folder=tmp_path, SDL_VIDEODRIVER="")
    assert done.returncode == BAD_INPUT
    assert done.stdout == ""
    assert done.stderr.startswith("play.py: ")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_sticky_actions_are_not_for_cartpole(cartpole_checkpoint_path: Path) -> None:
    done = run(cartpole_checkpoint_path, "--sticky", 0.25)
    assert done.returncode == BAD_INPUT
    assert len(done.stderr.splitlines()) == 1


def test_without_a_model_the_newest_checkpoint_is_meant(checkpoint_path: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(checkpoint_path, tmp_path / "checkpoints" / "latest.pt")
    newest = json.loads(run("--json", "--episodes", 1, folder=tmp_path).stdout)
    assert newest["model"] == "checkpoints/latest.pt"


def test_without_checkpoints_the_published_model_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = play.default_model()
    assert model.samefile(ROOT / "models" / "breakout.safetensors")
    agent = load_agent(model)
    scenes = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1)).play(0)
    assert any(scene.score > 40 for scene in itertools.islice(scenes, 8000)), "a person scores 30 in a whole game"


def test_help_names_what_there_is_and_needs_no_torch() -> None:
    program = (
        "import sys, runpy\n"
        "sys.argv = ['play.py', '--help']\n"
        "try:\n"
        "    runpy.run_path('play.py', run_name='__main__')\n"
        "finally:\n"
        "    assert not {'torch', 'cv2', 'pygame', 'numpy'} & set(sys.modules), 'heavy imports'\n"
    )
    done = running.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in ("--render", "--record", "--episodes", "--json", "--greedy", "--sticky"))


@pytest.mark.parametrize("greedy", [False, True], ids=["sampled", "greedy"])
def test_the_games_shown_are_those_of_the_evaluation(checkpoint_path: Path, greedy: bool) -> None:
    agent = load_agent(checkpoint_path)
    protocol = Protocol(episodes=2, seed=5, greedy=greedy, sticky=0.25, max_episode_frames=2000)
    result = evaluate(agent.network, agent.checkpoint.config.game, protocol)
    player = Player(agent.network, agent.checkpoint.config.game, protocol)
    for game in (1, 0):  # in any order
        *_, last = player.play(game)
        assert last.score == result.games[game].episode_return
        assert last.step == result.games[game].episode_length
        assert (last.lives == 0) != result.games[game].truncated
        assert last.game == game + 1
    assert player.scores == [result.scores[1], result.scores[0]]
    assert last.last_score == result.scores[1]


def test_every_frame_of_the_emulator_is_shown(checkpoint_path: Path) -> None:
    agent = load_agent(checkpoint_path)
    player = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1, max_episode_frames=2000))
    scenes = list(player.play(0))
    frames = [sum(scene.step == step for scene in scenes) for step in range(1, scenes[-1].step + 1)]
    assert set(frames[:-1]) == {4, 5}  # 5 where FIRE serves the next ball
    assert frames.count(5) == 4  # lives after the first
    assert 1 <= frames[-1] <= 5
    for scene in scenes:
        assert scene.probabilities.sum() == pytest.approx(1)


def test_a_real_game_in_the_window(checkpoint_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    agent = load_agent(checkpoint_path)
    player = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1, max_episode_frames=1000))
    controls = Controls()
    with Window(controls) as window:
        for _ in range(3):
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_UP))
        recordings = RecordingOnDemand(controls)
        assert show_game(window, player.play(0), player.frames_per_second, controls, recordings)
    assert len(player.scores) == 1


@pytest.mark.parametrize(
    ("held", "played"), [(("RIGHT",), 1), (("LEFT",), 2), ((), 0), (("FIRE",), 0), (("UP",), 0), (("RIGHT", "UP"), 1)]
)
def test_the_viewer_can_take_over_and_give_back(checkpoint_path: Path, held: tuple[str, ...], played: int) -> None:
    agent, controls = load_agent(checkpoint_path), Controls()
    player = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1), controls)
    alone = [scene.action for scene in itertools.islice(player.play(0), 240)]
    game = player.play(0)
    before = [scene.action for scene in itertools.islice(game, 40)]
    controls.human, controls.held = True, held
    taken_over = list(itertools.islice(game, 40))
    assert before == alone[:40]
    assert {scene.action for scene in taken_over[4:]} == {played}
    assert taken_over[-1].mode == "you"
    controls.human = False
    assert len({scene.action for scene in itertools.islice(game, 100)}) > 1


def test_greedy_can_be_switched_while_it_plays(checkpoint_path: Path) -> None:
    agent, controls = load_agent(checkpoint_path), Controls()
    game = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1), controls).play(0)
    next(game)
    controls.greedy = True
    scenes = list(itertools.islice(game, 100))[4:]
    assert all(scene.action == scene.probabilities.argmax() for scene in scenes)
    assert scenes[0].mode == "greedy policy"


def test_the_input_of_the_network_is_shown_on_demand(checkpoint_path: Path) -> None:
    agent, controls = load_agent(checkpoint_path), Controls()
    game = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1), controls).play(0)
    plain = next(game)
    controls.frames = controls.saliency = True
    *_, insight = itertools.islice(game, 8)
    assert plain.observation is plain.saliency is None
    assert insight.observation is not None
    assert insight.observation.shape == (84, 84, 4)
    assert insight.saliency is not None
    assert insight.values == insight.values[-3:]
    assert insight.values[-1] == insight.value


def test_saliency_takes_at_most_a_fifth_of_the_time(checkpoint_path: Path) -> None:
    agent, controls = load_agent(checkpoint_path), Controls(saliency=True)
    seconds = itertools.count()  # a second passes with each look at the clock, one in working out a map
    clock = lambda: float(next(seconds))  # noqa: E731
    player = Player(agent.network, agent.checkpoint.config.game, Protocol(episodes=1), controls, clock=clock)
    maps = {scene.step: scene.saliency for scene in itertools.islice(player.play(0), 60)}
    assert [maps[step] is maps[step + 1] for step in range(1, 13)] == [True, True, True, False] * 3


def test_a_paused_picture_shows_what_is_switched_on(checkpoint_path: Path) -> None:
    agent, seen, paused = load_agent(checkpoint_path), Controls(frames=True, saliency=True), Controls(paused=True)
    config, protocol = agent.checkpoint.config, Protocol(episodes=1)
    fast = Player(agent.network, config.game, protocol, seen, clock=lambda: 0.0)
    *_, expected = itertools.islice(fast.play(0), 30)
    game = Player(agent.network, config.game, protocol, paused).play(0)
    *_, plain = itertools.islice(game, 30)
    assert paused.advance(game, plain, 1 / 60) is plain
    paused.frames = paused.saliency = paused.greedy = True
    shown = paused.advance(game, plain, 1 / 60)
    assert shown is not None
    assert np.array_equal(shown.observation, expected.observation)
    assert np.array_equal(shown.saliency, expected.saliency)
    assert (shown.step, shown.mode) == (plain.step, "greedy policy")
    assert paused.advance(game, shown, 1 / 60) is shown, "and is not worked out again"
    paused.frames = paused.saliency = paused.greedy = False
    assert paused.advance(game, shown, 1 / 60) == plain
