"""The controls of a show: a viewer sets them by keys of the window or buttons of the page."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
    "human": ("p", "play yourself: arrow keys"),
    "record": ("v", "record"),
    "help": ("h", "keys"),
    "quit": ("q", "quit"),
}
# Command: the field of Controls that it turns on and off.
SWITCHES = {name: name for name in ("greedy", "saliency", "frames", "human", "help")} | {
    "pause": "paused",
    "record": "recording",
}


def unchanged(scene: Scene) -> Scene:
    """Return a paused scene as it is."""
    return scene


@dataclass
class Controls:
    """The state of the show; ``press`` changes it.

    Args:
        greedy: Play the most probable action instead of sampling one.
        saliency: Show the places that the policy depends on.
        frames: Show the network's input.
        human: The viewer plays, instead of the agent.
        held_action: The action whose key the viewer holds down; empty for none.
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
    held_action: str = ""
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
            self.held_action = ""  # the release of its key may not be seen
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
