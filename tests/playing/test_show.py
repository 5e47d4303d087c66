"""The loop that shows games, with a display and a clock of the test's own: no window, no page, no waiting."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.recording import RecordingOnDemand
from breakout_a3c.playing.scene import Scene
from breakout_a3c.playing.show import Pacer, show_game
from breakout_a3c.playing.window import MAX_LATE_SECONDS
from tests.playing.test_window import SCENE

FRAMES_PER_SECOND = 50
FRAME = 1 / FRAMES_PER_SECOND


class FakeTime:
    """A clock that moves only when something sleeps or works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds


class FakeDisplay:
    """Keeps its calls, and presses keys at given pictures.

    Args:
        controls: Set by the keys.
        keys: The command pressed after a picture, counted from 1.
    """

    def __init__(self, controls: Controls, keys: dict[int, str] | None = None) -> None:
        self._controls = controls
        self._keys = keys or {}
        self.calls: list[str] = []
        self.drawn: list[Scene] = []
        self.waited: list[float] = []

    def draw(self, scene: Scene) -> None:
        self.calls.append("draw")
        self.drawn.append(scene)

    def wait(self, seconds: float) -> None:
        self.calls.append("wait")
        self.waited.append(seconds)

    def handle_input(self) -> None:
        self.calls.append("handle_input")
        self._controls.press(self._keys.get(len(self.drawn), ""))


class FakeRecordings(RecordingOnDemand):
    """Keeps the scenes that it would record."""

    def __init__(self, controls: Controls) -> None:
        super().__init__(controls)
        self.recorded: list[int] = []

    def _record(self, scene: Scene, frames_per_second: int) -> None:
        assert frames_per_second == FRAMES_PER_SECOND
        self.recorded.append(scene.step)


def game(frames: int) -> Iterator[Scene]:
    """Yield scenes that are numbered by their steps, from 1."""
    return (replace(SCENE, step=step) for step in range(1, frames + 1))


def show(
    frames: int, keys: dict[int, str] | None = None, controls: Controls | None = None
) -> tuple[bool, FakeDisplay, FakeRecordings, Controls]:
    """Show one game; return the answer, the display, the recordings and the controls."""
    controls = controls or Controls()
    display, recordings = FakeDisplay(controls, keys), FakeRecordings(controls)
    return show_game(display, game(frames), FRAMES_PER_SECOND, controls, recordings), display, recordings, controls


def steps(display: FakeDisplay) -> list[int]:
    return [scene.step for scene in display.drawn]


def test_each_scene_is_drawn_waited_for_and_answered_in_this_order() -> None:
    goes_on, display, _, _ = show(3)
    assert goes_on
    assert steps(display) == [1, 2, 3]
    assert display.calls == ["draw", "wait", "handle_input"] * 3
    assert display.waited == [FRAME] * 3


def test_a_game_without_scenes_is_over_at_once() -> None:
    goes_on, display, _, _ = show(0)
    assert goes_on
    assert display.calls == []


def test_quit_ends_the_game_and_the_show() -> None:
    goes_on, display, _, _ = show(1000, {5: "quit"})
    assert not goes_on
    assert steps(display) == [1, 2, 3, 4, 5]


def test_a_display_that_is_closed_already_shows_nothing() -> None:
    goes_on, display, _, _ = show(10, controls=Controls(closed=True))
    assert not goes_on
    assert display.drawn == []


def test_next_game_ends_this_one_alone() -> None:
    goes_on, display, recordings, controls = show(1000, {5: "restart"})
    assert goes_on
    assert len(display.drawn) == 5
    assert show_game(display, game(3), FRAMES_PER_SECOND, controls, recordings), (
        "a new game begins without the wish for the next"
    )
    assert steps(display)[5:] == [1, 2, 3]


def test_a_pause_shows_one_scene_until_it_ends() -> None:
    _, display, _, _ = show(6, {2: "pause", 5: "pause"})
    assert steps(display) == [1, 2, 2, 2, 2, 3, 4, 5, 6]
    assert [scene.speed for scene in display.drawn] == ["1x"] * 2 + ["paused"] * 3 + ["1x"] * 4


@pytest.mark.parametrize(
    ("command", "shown"), [("faster", [1, 3, 5]), ("slower", [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6])]
)
def test_a_speed_changes_the_frames_a_picture_and_not_the_pictures_a_second(command: str, shown: list[int]) -> None:
    controls = Controls()
    controls.press(command)
    _, display, _, _ = show(6, controls=controls)
    assert steps(display) == shown
    assert set(display.waited) == {FRAME}


def test_recording_takes_every_scene_while_it_is_on_and_the_footer_shows_it() -> None:
    _, display, recordings, _ = show(6, {2: "record", 4: "record"})
    assert recordings.recorded == [3, 4]
    assert [scene.footer for scene in display.drawn] == ["", "", "recording", "recording", "", ""]


def test_a_recording_that_begins_in_a_pause_is_shown_at_once() -> None:
    _, display, recordings, _ = show(4, {1: "pause", 2: "record", 3: "pause"})
    assert [(scene.step, scene.footer) for scene in display.drawn[:3]] == [(1, ""), (1, ""), (1, "recording")]
    assert recordings.recorded == [2, 3, 4]


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def make_wait(time: FakeTime, max_late_seconds: float) -> Callable[[float], None]:
    """Return a function that works for some seconds, and then waits for the next scene."""
    pacer = Pacer(time.clock, time.sleep)

    def wait(work_seconds: float) -> None:
        time.now += work_seconds
        pacer.wait(FRAME, max_late_seconds)

    return wait


def test_work_is_part_of_the_time_between_two_scenes(time: FakeTime) -> None:
    wait = make_wait(time, MAX_LATE_SECONDS)
    for _ in range(10):
        wait(0.3 * FRAME)
    assert time.now == pytest.approx(10 * FRAME)
    assert time.slept == pytest.approx([0.7 * FRAME] * 10)


def test_lateness_up_to_the_limit_is_made_good(time: FakeTime) -> None:
    """A picture that takes 4 frames' time: the 3 after it come at once, and the schedule holds."""
    assert MAX_LATE_SECONDS == 0.1
    wait = make_wait(time, MAX_LATE_SECONDS)
    for work in (0.0, 4 * FRAME, 0.0, 0.0, 0.0, 0.0):
        wait(work)
    assert time.now == pytest.approx(6 * FRAME)
    assert time.slept == pytest.approx([FRAME, 0, 0, 0, 0, FRAME], abs=1e-9)


def test_lateness_beyond_the_limit_is_lost(time: FakeTime) -> None:
    wait = make_wait(time, MAX_LATE_SECONDS)
    wait(60.0)
    for _ in range(20):
        wait(0.0)
    frames_made_good = MAX_LATE_SECONDS / FRAME
    assert time.now == pytest.approx(60 + (20 - frames_made_good) * FRAME)
    assert time.slept[: 1 + round(frames_made_good)] == pytest.approx([0.0] * 6, abs=1e-9)
