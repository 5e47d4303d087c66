"""The controls of a show: a viewer sets them by keys of the window or buttons of the page."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from breakout_a3c.playing.scene import Scene

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, math.inf)
NORMAL_SPEED = SPEEDS.index(1.0)
# Command: its key in the window, and its meaning.
COMMANDS = {
    "pause": ("space", "pause, go on"),
    "step": (".", "one step"),
    "faster": ("up", "faster"),
    "slower": ("down", "slower"),
    "restart": ("r", "next game"),
    "greedy": ("g", "greedy, sampled"),
    "saliency": ("s", "where it looks"),
    "frames": ("f", "what it sees"),
    "human": ("p", "play yourself: arrows, space"),
    "record": ("v", "record"),
    "help": ("h", "keys"),
    "quit": ("q", "quit"),
}
# While the viewer plays, these keys have other meanings; enter pauses instead of space.
PLAYING = (("arrows", "move"), ("space", "fire"), ("enter", "pause, go on"), ("p", "let the agent play"))
TAKEN = ("space", "up", "down", "p")
HOLDS = ("UP", "DOWN", "RIGHT", "LEFT", "FIRE")  # in the order in which the names of actions have them
# Command: the field of Controls that it turns on and off.
SWITCHES = {name: name for name in ("greedy", "saliency", "frames", "human", "help")} | {
    "pause": "paused",
    "record": "recording",
}


def unchanged(scene: Scene) -> Scene:
    """Return a paused scene as it is."""
    return scene


def action_of(held: Sequence[str], action_names: Sequence[str]) -> str | None:
    """Return the action of the keys that are held, or of as many of them as the game has an action for.

    Args:
        held: Some of HOLDS, the newest last: of two keys that exclude each other the newer one counts.
        action_names: Those of the game. FIRE stands for NOOP in a game without it, as in Breakout.

    Returns:
        One of ``action_names``; None if nothing is held and the game has no action for that.
    """
    for count in range(len(held), 0, -1):
        for keys in combinations(reversed(held), count):
            name = "".join(key for key in HOLDS if key in keys)
            if name in action_names:
                return name
    return next((name for name in ("NOOP", "FIRE") if name in action_names), None)


@dataclass
class Controls:
    """The state of the show; ``press`` changes it.

    Args:
        greedy: Play the most probable action instead of sampling one.
        saliency: Show the places that the policy depends on.
        frames: Show the network's input.
        human: The viewer plays, instead of the agent.
        held: Those of HOLDS whose keys the viewer holds down, the newest last.
        recording: Record the scenes that are played.
        help: Show the keys.
        paused: Show the same scene until the viewer goes on.
        closed: The viewer has quit.
        next_game: The viewer wants the next game.
        refresh: Shows a paused scene as the switches are now; the player sets it.
    """

    greedy: bool = False
    saliency: bool = False
    frames: bool = False
    human: bool = False
    held: tuple[str, ...] = ()
    recording: bool = False
    help: bool = False
    paused: bool = False
    closed: bool = False
    next_game: bool = False
    refresh: Callable[[Scene], Scene] = unchanged
    _speed: int = NORMAL_SPEED
    _frames_due: float = 0.0
    _one_step: bool = False

    def press(self, command: str) -> None:
        """Carry out one of COMMANDS; ignore any other word."""
        if switch := SWITCHES.get(command):
            setattr(self, switch, not getattr(self, switch))
            if command == "human":
                self.held = ()  # the releases of its keys are not seen while the agent plays
        elif command == "step":
            self.paused = self._one_step = True
        elif command == "faster":
            self._speed = min(self._speed + 1, len(SPEEDS) - 1)
        elif command == "slower":
            self._speed = max(self._speed - 1, 0)
        elif command == "restart":
            self.next_game = True
        elif command == "quit":
            self.closed = True

    def hold(self, key: str) -> None:
        """Hold one of HOLDS down."""
        self.release(key)
        self.held += (key,)

    def release(self, key: str) -> None:
        """Hold it no longer."""
        self.held = tuple(other for other in self.held if other != key)

    def help_lines(self) -> Sequence[tuple[str, str]]:
        """Return the keys of the window as they are now, and their meaning."""
        if not self.human:
            return tuple(COMMANDS.values())
        return PLAYING + tuple((key, meaning) for key, meaning in COMMANDS.values() if key not in TAKEN)

    def speed_text(self) -> str:
        """Return the speed as text."""
        if self.paused:
            return "paused"
        speed = SPEEDS[self._speed]
        return "as fast as it goes" if speed == math.inf else f"{speed:g}x"

    def advance(self, scenes: Iterator[Scene], scene: Scene, seconds: float) -> Scene | None:
        """Play the frames that are due until the next picture.

        Args:
            scenes: The rest of the game.
            scene: The scene that is shown.
            seconds: Between two pictures.

        Returns:
            The scene to show next, or None when the game is over.
        """
        if self.paused:
            if not self._one_step:
                return self.refresh(scene)
            self._one_step = False
            return next((later for later in scenes if later.step != scene.step), None)
        following: Scene | None = scene
        if SPEEDS[self._speed] == math.inf:
            deadline = time.monotonic() + seconds
            while following is not None and time.monotonic() < deadline:
                following = next(scenes, None)
            return following
        self._frames_due += SPEEDS[self._speed]
        while following is not None and self._frames_due >= 1:
            self._frames_due -= 1
            following = next(scenes, None)
        return following
