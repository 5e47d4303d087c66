"""A trained agent at play: the games of the evaluation, one after another, frame by frame."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import ale_py
import gymnasium
import numpy as np
import torch

from breakout_a3c.config import GameOptions
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.seeds import action_generator
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.evaluation import Protocol, choose_actions, make_player_environment
from breakout_a3c.playing.saliency import policy_saliency
from breakout_a3c.playing.scene import VALUES_SHOWN, Picture, Scene

NO_SCREEN: Picture = np.empty((0, 0, 3), np.uint8)


class FilmedEmulator:
    """An emulator that keeps the screen of each frame it plays, 4 of them in one agent step.

    Args:
        ale: The emulator that does the work.
    """

    def __init__(self, ale: ale_py.ALEInterface) -> None:
        self._ale = ale
        self._screens: list[Picture] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ale, name)

    def act(self, action: ale_py.Action) -> float:
        """Play one frame."""
        reward = self._ale.act(action)
        self._screens.append(self._ale.getScreenRGB())
        return reward

    def take_screens(self) -> list[Picture]:
        """Return the screens since the last call."""
        screens, self._screens = self._screens, []
        return screens


def film(environment: gymnasium.Env[Any, Any]) -> Callable[[], list[Picture]]:
    """Return a function that gives the screens since its last call.

    They are all frames of an Atari game, and the last one of any other environment.
    """
    if isinstance(environment, AtariGame):
        emulator = FilmedEmulator(environment.ale)
        environment.ale = cast(ale_py.ALEInterface, emulator)
        return emulator.take_screens
    return lambda: [cast(Picture, environment.render())]


class Player:
    """An agent that plays the games of a protocol: game ``i`` is the evaluation's game ``i``.

    Args:
        network: Who plays.
        options: The game, as the network was trained on it.
        protocol: Which games, and how.
        controls: What a person who watches may set meanwhile; else all is as the protocol says.
    """

    def __init__(
        self, network: ActorCritic, options: GameOptions, protocol: Protocol, controls: Controls | None = None
    ) -> None:
        self._network = network
        self._title = options.name.replace("_", " ")
        self._controls = controls or Controls(greedy=protocol.greedy)
        self._controls.refresh = self._refresh
        self._observation: Any = None  # what the scene that is shown was chosen from
        self._seeds = protocol.game_seeds()
        self._environment = make_player_environment(options, protocol)
        self._take_screens = film(self._environment)
        self.action_names = self._environment.action_names
        self.frames_per_second = self._environment.frames_per_second
        self.scores: list[float] = []  # of the games played to their end

    def play(self, game: int) -> Iterator[Scene]:
        """Play game number ``game`` of the protocol and yield each of its frames.

        The policy and the value in a scene are those that chose the action which the scene shows;
        score and lives are those after it.
        """
        seed = self._seeds[game]
        generator = action_generator(seed)
        observation, _ = self._environment.reset(seed=seed)
        self._take_screens()  # the no-op frames: the agent has not begun
        last_score = self.scores[-1] if self.scores else None
        values_seen: deque[float] = deque(maxlen=VALUES_SHOWN)
        score, step, game_over = 0.0, 0, False
        while not game_over:
            with torch.no_grad():
                logits, values = self._network(torch.from_numpy(observation[np.newaxis]))
            values_seen.append(values.item())
            self._observation = observation
            scene = Scene(
                screen=NO_SCREEN,
                title=self._title,
                game=game + 1,
                score=score,
                lives=None,
                step=step + 1,
                action_names=self.action_names,
                probabilities=logits[0].softmax(dim=0).numpy(),
                action=self._choose(logits, generator),
                value=values_seen[-1],
                last_score=last_score,
                values=tuple(values_seen),
                mode=self._mode(),
                **self._insight(observation),
            )
            observation, reward, terminated, truncated, info = self._environment.step(scene.action)
            score, step, game_over = score + float(reward), step + 1, terminated or truncated
            if game_over:
                self.scores.append(score)
            for screen in self._take_screens():
                yield replace(scene, screen=screen, score=score, lives=info.get("lives"))

    def _choose(self, logits: torch.Tensor, generator: np.random.Generator) -> int:
        """Return the action that the policy chooses, or the person who plays."""
        controls = self._controls
        action = int(choose_actions(logits.numpy(), controls.greedy, [generator])[0])
        if not controls.human:
            return action
        # UP serves where it has no other meaning, and FIRE stands for NOOP where there is none.
        wanted = (controls.held_action, "FIRE" if controls.held_action == "UP" else "NOOP", "NOOP", "FIRE")
        return next((self.action_names.index(name) for name in wanted if name in self.action_names), action)

    def _mode(self) -> str:
        if self._controls.human:
            return "you"
        return "greedy policy" if self._controls.greedy else ""

    def _refresh(self, scene: Scene) -> Scene:
        """Return the last scene as the switches are now."""
        wanted = self._mode(), self._controls.frames, self._controls.saliency
        if wanted == (scene.mode, scene.observation is not None, scene.saliency is not None):
            return scene
        return replace(scene, mode=self._mode(), **self._insight(self._observation))

    def _insight(self, observation: Any) -> dict[str, Any]:
        """Return what is to be shown of the network's sight; only pictures have any."""
        if observation.ndim != 3:
            return {}
        return {
            "observation": observation if self._controls.frames else None,
            "saliency": policy_saliency(self._network, observation) if self._controls.saliency else None,
        }
