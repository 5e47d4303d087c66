"""Plays the games of an evaluation frame by frame, for displays and recordings."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import ale_py
import gymnasium
import numpy as np
import torch

from breakout_a3c.config import GameOptions
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.seeds import action_generator
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.playing.controls import Controls, action_of
from breakout_a3c.playing.evaluation import (
    FixedBatch,
    Protocol,
    choose_actions,
    ends_episode,
    make_evaluation_environment,
    row_of,
)
from breakout_a3c.playing.saliency import Floats, policy_saliency
from breakout_a3c.playing.scene import VALUES_SHOWN, Picture, Scene

SALIENCY_SHARE = 0.2  # of the time, at most: a game that is shown goes on at its speed
NO_SCREEN: Picture = np.empty((0, 0, 3), np.uint8)


class FilmedEmulator:
    """An emulator that keeps the screen of each frame: 4 frames in one agent step.

    Args:
        ale: The emulator that plays the frames.
    """

    def __init__(self, ale: ale_py.ALEInterface) -> None:
        self._ale = ale
        self._screens: list[Picture] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ale, name)

    def act(self, action: ale_py.Action) -> float:
        """Play one frame; return its reward."""
        reward = self._ale.act(action)
        self._screens.append(self._ale.getScreenRGB())
        return reward

    def take_screens(self) -> list[Picture]:
        """Return the screens since the last call."""
        screens, self._screens = self._screens, []
        return screens


def film(environment: gymnasium.Env[Any, Any]) -> Callable[[], list[Picture]]:
    """Return a function that returns the screens since its last call.

    The screens of an Atari game are those of all frames; any other environment has its last screen alone.
    """
    if isinstance(environment, AtariGame):
        emulator = FilmedEmulator(environment.ale)
        environment.ale = cast(ale_py.ALEInterface, emulator)
        return emulator.take_screens
    return lambda: [cast(Picture, environment.render())]


class Shown(NamedTuple):
    """What a training has come to."""

    network: ActorCritic
    steps: int  # agent steps
    curve: Sequence[tuple[float, float]]  # million agent steps, mean score


class Player:
    """An agent that plays the games of a protocol: game ``i`` is the evaluation's game ``i``.

    Args:
        network: The policy.
        options: The game, as the network was trained on it.
        protocol: The games and their rules.
        controls: Set by the viewer meanwhile; without controls, the protocol alone decides.
        newest: Returns another network for each game, that of a running training.
        clock: Returns the time in seconds.

    Attributes:
        action_names: One an action.
        frames_per_second: The game's own speed.
        scores: Of the games that were played to their end.
    """

    def __init__(
        self,
        network: ActorCritic,
        options: GameOptions,
        protocol: Protocol,
        controls: Controls | None = None,
        newest: Callable[[], Shown] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._network = network
        self._options = options
        self._batch = FixedBatch(network)
        self._title = options.name.replace("_", " ")
        self._newest = newest
        self._training: dict[str, Any] = {}  # the fields of a scene that tell of it
        self._controls = controls or Controls(greedy=protocol.greedy)
        self._controls.refresh = self._refresh
        # From which the shown scene's action was chosen.
        self._observation: Any = None
        self._lstm_state: torch.Tensor | None = None
        self._clock = clock
        self._last_saliency: Floats | None = None
        self._next_saliency = -math.inf  # seconds of the clock
        self._seeds = protocol.game_seeds()
        self._environment = make_evaluation_environment(options, protocol)
        self._take_screens = film(self._environment)
        self.action_names = self._environment.action_names
        self.frames_per_second = self._environment.frames_per_second
        self.scores: list[float] = []

    def play(self, game: int) -> Iterator[Scene]:
        """Play one game and yield each of its frames.

        Policy and value of a scene belong to the observation before its action; score and lives are those after it.

        Args:
            game: Its number in the protocol.
        """
        if self._newest:
            self._take(self._newest())
        seed = self._seeds[game]
        generator = action_generator(seed)
        observation, info = self._environment.reset(seed=seed)
        has_lives = bool(info.get("lives"))  # Pong's emulator counts 0 lives from beginning to end
        self._batch.forget(row_of(game))
        self._take_screens()  # those of the no-op frames, before the agent's first step
        last_score = self.scores[-1] if self.scores else None
        values: deque[float] = deque(maxlen=VALUES_SHOWN)
        score, step, game_over = 0.0, 0, False
        while not game_over:
            step += 1
            decision = self._decide(game, observation, generator, values)
            scene = replace(decision, game=game + 1, step=step, last_score=last_score)
            observation, reward, terminated, truncated, info = self._environment.step(scene.action)
            score, game_over = score + float(reward), terminated or truncated
            if ends_episode(info, self._options):
                self._batch.forget(row_of(game))
            if game_over:
                self.scores.append(score)
            for screen in self._take_screens():
                yield replace(scene, screen=screen, score=score, lives=info["lives"] if has_lives else None)

    def _take(self, shown: Shown) -> None:
        """Go on with another network."""
        self._network = shown.network
        self._batch = FixedBatch(shown.network)
        self._training = {"trained": f"{shown.steps / 1e6:.2f}M steps", "curve": shown.curve}

    def _decide(self, game: int, observation: Any, generator: np.random.Generator, values: deque[float]) -> Scene:
        """Choose an action.

        Args:
            game: Its number in the protocol.
            observation: The input of the network.
            generator: The random numbers of this game.
            values: The value estimates of the last steps; this one is appended.

        Returns:
            A scene with the policy, the action and the values; its other fields are placeholders.
        """
        self._observation = observation
        self._lstm_state = self._batch.remembered(row_of(game)).clone()
        logits, estimates = self._batch.ask({row_of(game): observation})
        values.append(estimates.item())
        return Scene(
            screen=NO_SCREEN,
            title=self._title,
            game=0,
            score=0.0,
            lives=None,
            step=0,
            action_names=self.action_names,
            probabilities=logits[0].softmax(dim=0).numpy(),
            action=self._choose(logits, generator),
            value=values[-1],
            values=tuple(values),
            mode=self._mode(),
            **self._training,
            **self._network_view(observation, self._affordable_saliency),
        )

    def _choose(self, logits: torch.Tensor, generator: np.random.Generator) -> int:
        """Return the action of the policy, or of the viewer who plays."""
        controls = self._controls
        action = int(choose_actions(logits.numpy(), controls.greedy, [generator])[0])
        if not controls.human:
            return action
        name = action_of(controls.held, self.action_names)
        return action if name is None else self.action_names.index(name)

    def _mode(self) -> str:
        if self._controls.human:
            return "you"
        return "greedy policy" if self._controls.greedy else ""

    def _refresh(self, scene: Scene) -> Scene:
        """Return the last scene as the switches are now."""
        wanted = self._mode(), self._controls.frames, self._controls.saliency
        if wanted == (scene.mode, scene.observation is not None, scene.saliency is not None):
            return scene
        return replace(scene, mode=self._mode(), **self._network_view(self._observation, self._saliency))

    def _network_view(self, observation: Any, saliency: Callable[[Any], Floats]) -> dict[str, Any]:
        """Return the fields of a scene for the network's input and its saliency; only pictures have them."""
        if observation.ndim != 3:
            return {}
        return {
            "observation": observation if self._controls.frames else None,
            "saliency": saliency(observation) if self._controls.saliency else None,
        }

    def _saliency(self, observation: Any) -> Floats:
        return policy_saliency(self._network, observation, self._lstm_state)

    def _affordable_saliency(self, observation: Any) -> Floats:
        """Return the saliency of this observation, or an earlier one's where a slow CPU would hold up the game."""
        began = self._clock()
        if self._last_saliency is None or began >= self._next_saliency:
            self._last_saliency = self._saliency(observation)
            self._next_saliency = began + (self._clock() - began) / SALIENCY_SHARE
        return self._last_saliency
