"""The controls, without a window or a page."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import pytest

from breakout_a3c.playing.controls import COMMANDS, SPEEDS, SWITCHES, Controls, action_of
from breakout_a3c.playing.scene import Scene
from tests.playing.test_window import KEYS_OF, SCENE


def scenes(steps: int = 1000) -> Iterator[Scene]:
    """Yield four frames a step."""
    for step in range(1, steps + 1):
        yield from itertools.repeat(replace(SCENE, step=step), 4)


@pytest.mark.parametrize("command", SWITCHES)
def test_a_switch_goes_on_and_off(command: str) -> None:
    controls = Controls()
    before = vars(controls).copy()
    controls.press(command)
    (changed,) = (name for name, value in vars(controls).items() if value != before[name])
    assert changed == SWITCHES[command]
    controls.press(command)
    assert vars(controls) == before


def test_every_command_does_something_and_nothing_else_does() -> None:
    for command in COMMANDS:
        controls = Controls()
        controls.press(command)
        assert controls != Controls(), command
    controls = Controls()
    for nonsense in ("", "closed", "_speed", "__class__", "paused"):
        controls.press(nonsense)
    assert controls == Controls()


def test_one_step_plays_to_the_first_frame_of_the_next_and_stays_there() -> None:
    controls, game = Controls(), scenes()
    first = next(game)
    controls.press("step")
    second = controls.advance(game, first, 1 / 60)
    assert second is not None
    assert (first.step, second.step) == (1, 2)
    assert controls.advance(game, second, 1 / 60) is second
    controls.press("step")
    third = controls.advance(game, second, 1 / 60)
    assert third is not None
    assert third.step == 3
    assert controls.speed_text() == "paused"


@pytest.mark.parametrize(("presses", "frames"), [(["slower"], 50), ([], 100), (["faster"], 200)])
def test_speeds_are_frames_a_picture(presses: list[str], frames: int) -> None:
    controls, game = Controls(), scenes()
    for command in presses:
        controls.press(command)
    scene: Scene | None = next(game)
    for _ in range(100):
        assert scene is not None
        scene = controls.advance(game, scene, 1 / 60)
    played = 4 * 1000 - 1 - sum(1 for _ in game)
    assert played == frames


def test_a_paused_scene_is_shown_as_the_switches_are_now() -> None:
    controls = Controls(refresh=lambda scene: replace(scene, mode="greedy policy" if controls.greedy else ""))
    controls.press("pause")
    controls.press("greedy")
    shown = controls.advance(scenes(), SCENE, 1 / 60)
    assert shown is not None
    assert (shown.step, shown.mode) == (SCENE.step, "greedy policy")


def test_keys_that_were_held_are_forgotten_when_the_game_changes_hands() -> None:
    controls = Controls(human=True, held=("LEFT",))
    controls.press("greedy")
    assert controls.held == ("LEFT",)
    controls.press("human")
    controls.press("human")
    assert controls.held == ()


def test_keys_are_held_until_they_are_released_the_newest_last() -> None:
    controls, held = Controls(), []
    for change, key in (
        (controls.hold, "LEFT"),
        (controls.hold, "FIRE"),
        (controls.hold, "LEFT"),
        (controls.release, "FIRE"),
        (controls.release, "FIRE"),
        (controls.release, "LEFT"),
    ):
        change(key)
        held.append(controls.held)
    assert held == [("LEFT",), ("LEFT", "FIRE"), ("FIRE", "LEFT"), ("LEFT",), ("LEFT",), ()]


def test_every_action_has_keys_in_any_order() -> None:
    assert len(KEYS_OF) == 18
    for name, keys in KEYS_OF.items():
        assert {action_of(pressed, list(KEYS_OF)) for pressed in permutations(keys)} == {name}


@pytest.mark.parametrize(
    ("held", "names", "played"),
    [
        ((), ("NOOP", "FIRE"), "NOOP"),
        ((), ("FIRE", "RIGHT", "LEFT"), "FIRE"),  # Breakout, where it stands for NOOP
        ((), ("LEFT", "RIGHT"), None),  # CartPole
        (("LEFT", "FIRE"), ("NOOP", "FIRE", "LEFT"), "FIRE"),
        (("FIRE", "LEFT"), ("NOOP", "FIRE", "LEFT"), "LEFT"),
        (("UP", "RIGHT"), ("NOOP", "FIRE", "RIGHT", "LEFT"), "RIGHT"),
        (("UP",), ("NOOP", "FIRE", "RIGHT", "LEFT"), "NOOP"),
        (("LEFT", "RIGHT"), ("NOOP", "RIGHT", "LEFT"), "RIGHT"),
        (("UP", "FIRE", "LEFT", "DOWN"), ("NOOP", "UPLEFTFIRE", "DOWNLEFTFIRE"), "DOWNLEFTFIRE"),
    ],
)
def test_where_keys_have_no_action_together_the_newest_count(
    held: tuple[str, ...], names: tuple[str, ...], played: str | None
) -> None:
    assert action_of(held, names) == played


def test_help_tells_the_keys_as_they_are() -> None:
    controls = Controls()
    assert controls.help_lines() == tuple(COMMANDS.values())
    controls.press("human")
    keys = [key for key, _ in controls.help_lines()]
    assert len(keys) == len(set(keys))
    assert dict(controls.help_lines()) | {"space": "fire", "enter": "pause, go on"} == dict(controls.help_lines())
    assert "p" in keys


def test_speeds_end_at_both_ends() -> None:
    controls = Controls()
    for _ in range(2 * len(SPEEDS)):
        controls.press("slower")
    assert controls.speed_text() == "0.25x"
    for _ in range(2 * len(SPEEDS)):
        controls.press("faster")
    assert controls.speed_text() == "as fast as it goes"


def test_the_end_of_the_game_is_told_at_every_speed() -> None:
    for presses in ([], ["step"], ["faster"] * 9):
        controls = Controls()
        for command in presses:
            controls.press(command)
        assert controls.advance(iter(()), SCENE, 1 / 60) is None
