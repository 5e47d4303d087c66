"""Playing: a batch of games, and the rollouts that an actor-learner collects from it."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import gymnasium
import numpy as np
import safetensors.numpy
import torch
from gymnasium.spaces import Discrete
from numpy.typing import NDArray
from torch import Tensor

from breakout_a3c.config import CARTPOLE, TrainConfig
from breakout_a3c.environments import (
    AtariGame,
    CartPole,
    GameState,
    make_environment,
    random_state,
    restore_random_state,
)
from breakout_a3c.late_starts import LateStarts
from breakout_a3c.networks import ActorCritic

Game = AtariGame | CartPole
PART_STEPS = 80  # agent steps that are differentiated at a time
MAX_COUNT = 2**53  # exact as a float, too


class FinishedGame(NamedTuple):
    """A full game, with the raw score that the emulator counted."""

    episode_return: float
    episode_length: int  # agent steps
    truncated: bool


class StepOutcome(NamedTuple):
    """What one step of the batch brought, ``(B,)`` each, as the learner sees it."""

    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    last_observations: dict[int, NDArray[Any]]  # of the games that were truncated


class GameBatch:
    """Several games in step; a finished one starts again at once.

    Raw scores are counted here, below the learner's clipped rewards and life-loss terminals.

    Args:
        config: How rewards and lost lives look to the learner.
        environments: The games, each with a seed of its own.
        threads: How many of them are played at the same time; the emulator leaves Python's lock alone.
        seed: Of the choice of games that begin late.
    """

    def __init__(self, config: TrainConfig, environments: Sequence[Game], threads: int = 1, seed: int = 0) -> None:
        self._config = config
        self._environments = environments
        self._returns = [0.0] * len(environments)
        self._lengths = [0] * len(environments)
        self._rewarded_at = [0] * len(environments)  # the length of each game at its last reward
        self._began_late = [False] * len(environments)
        self._finished: list[FinishedGame] = []
        self._late_starts = LateStarts(config.late_starts, len(environments), seed)
        self._shares = [range(share, len(environments), threads) for share in range(threads)]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __len__(self) -> int:
        """Return the number of games."""
        return len(self._environments)

    def reset(self) -> NDArray[Any]:
        """Start all games; return their first observations, ``(B, *observation)``."""
        return np.stack([environment.reset()[0] for environment in self._environments])

    def step(self, actions: Sequence[int], observations: NDArray[Any]) -> StepOutcome:
        """Play one step of each game.

        Args:
            actions: One a game.
            observations: ``(B, *observation)``, filled with what to act on next.
        """
        size = len(self)
        outcome = StepOutcome(np.empty(size, np.float32), np.empty(size, np.bool_), np.empty(size, np.bool_), {})
        over: dict[int, bool] = {}  # the games that are, and whether they were cut off

        def play_share(games: Iterable[int]) -> None:
            for index in games:
                self._step_game(index, actions[index], observations, outcome, over)

        share_out = self._pool.map if self._pool else map
        for _ in share_out(play_share, self._shares):
            pass
        for index, cut in sorted(over.items()):
            self._finish(index, cut)
            observations[index] = self._begin(index)
        if self._config.late_starts:
            for index, environment in enumerate(cast(Sequence[AtariGame], self._environments)):
                self._late_starts.see(index, environment, self._returns[index], self._lengths[index])
        return outcome

    def _step_game(
        self, index: int, action: int, observations: NDArray[Any], outcome: StepOutcome, over: dict[int, bool]
    ) -> None:
        """Play one step of game ``index``, and write what it brought to its place."""
        config, environment = self._config, self._environments[index]
        observation, reward, game_over, truncated, info = environment.step(action)
        self._returns[index] += float(reward)
        self._lengths[index] += 1
        learners_reward = np.sign(float(reward)) if config.clip_rewards else float(reward)
        if reward:
            self._rewarded_at[index] = self._lengths[index]
        steps_since_reward = self._lengths[index] - self._rewarded_at[index]
        stalled = config.stall_steps is not None and steps_since_reward >= config.stall_steps
        life_lost = info.get("life_lost", False) or stalled
        outcome.rewards[index] = config.reward_scale * (learners_reward - config.life_loss_penalty * life_lost)
        outcome.terminated[index] = game_over or stalled or (config.terminal_on_life_loss and life_lost)
        outcome.truncated[index] = truncated
        if truncated:
            outcome.last_observations[index] = observation
        observations[index] = observation
        if game_over or truncated or stalled:
            over[index] = not game_over

    def _finish(self, index: int, cut: bool) -> None:
        """Take note of a game's end; the score of one that began late would be no score."""
        if not self._began_late[index]:
            self._finished.append(FinishedGame(self._returns[index], self._lengths[index], cut))

    def _begin(self, index: int) -> NDArray[Any]:
        """Begin a game; return its first observation."""
        environment = self._environments[index]
        observation, _ = environment.reset()
        moment = self._late_starts.draw(index)
        self._began_late[index] = moment is not None
        if moment is None:
            self._returns[index], self._lengths[index] = 0.0, 0
        else:
            self._returns[index], self._lengths[index] = moment.episode_return, moment.episode_length
            random = random_state(environment.unwrapped)
            observation = environment.restore(moment.state)
            restore_random_state(environment.unwrapped, random)  # or the games after it would be the same ones again
        self._rewarded_at[index] = self._lengths[index]
        return observation

    def state(self) -> GameState:
        """Return where all games stand between two steps, those that ended having been taken."""
        state = {
            "returns": np.array(self._returns),
            "lengths": np.array(self._lengths),
            "rewarded_at": np.array(self._rewarded_at),
            "began_late": np.array(self._began_late),
        }
        for index, environment in enumerate(self._environments):
            state |= {f"{index}/{name}": values for name, values in environment.state().items()}
        return state

    def restore(self, state: GameState) -> NDArray[Any]:
        """Go on from ``state``; return the observations to act on, ``(B, *observation)``.

        Raises:
            ValueError: If its scores are none that a game can have.
        """
        returns, lengths = state["returns"], state["lengths"]
        if not (np.abs(returns) < MAX_COUNT).all() or not ((lengths >= 0) & (lengths < MAX_COUNT)).all():
            raise ValueError("the games' scores or lengths are none that a game can have")
        self._returns, self._lengths = returns.tolist(), lengths.tolist()
        self._rewarded_at = state.get("rewarded_at", lengths).tolist()
        self._began_late = state.get("began_late", np.zeros(len(self), np.bool_)).tolist()
        observations = []
        for index, environment in enumerate(self._environments):
            prefix = f"{index}/"
            of_game = {name.removeprefix(prefix): values for name, values in state.items() if name.startswith(prefix)}
            observations.append(environment.restore(of_game))
        return np.stack(observations)

    def take_finished(self) -> list[FinishedGame]:
        """Return the games that ended since the last call."""
        finished, self._finished = self._finished, []
        return finished


@dataclass(frozen=True, slots=True)
class Rollout:
    """``T`` steps of ``B`` games; the arguments of the loss."""

    observations: Tensor  # (T, B, *observation)
    logits: Tensor  # (T, B, actions) float32, of the policy that acted
    actions: Tensor  # (T, B) int64
    rewards: Tensor  # (T, B) float32
    values: Tensor  # (T, B) float32, of the states acted in
    next_values: Tensor  # (T, B) float32, of the states that followed, 0 after a terminal step
    ended: Tensor  # (T, B) bool, the next row is of another life or game
    layer_outputs: list[list[Tensor]]  # T times (B, ...) of each of the trunk's layers, for its gradient

    def __len__(self) -> int:
        """Return the number of agent steps, ``T * B``."""
        return self.actions.numel()

    def parts(self) -> list[slice]:
        """Return rows of ``T`` to differentiate at a time, so that memory does not grow with the rollout."""
        length, batch = self.actions.shape
        rows = max(1, PART_STEPS // batch)
        return [slice(first, min(first + rows, length)) for first in range(0, length, rows)]

    def layer_outputs_of(self, rows: slice) -> list[Tensor]:
        """Return ``(rows * B, ...)`` of each of the trunk's layers."""
        return [torch.cat(outputs) for outputs in zip(*self.layer_outputs[rows], strict=True)]


class RolloutCollector:
    """Plays a batch of games by a network's policy, into buffers that are used again.

    With a single game, a rollout ends with the game, or with the life where a lost one is an end, as in the paper;
    with several, an end is a mask inside it.

    Args:
        config: The rollout's length, and how the learner sees rewards and lost lives.
        environments: The games to play.
        seed: Of the sampled actions.
    """

    def __init__(self, config: TrainConfig, environments: Sequence[Game], seed: int) -> None:
        self._config = config
        length, batch = max(config.rollout_length_at(progress) for progress in (0.0, 1.0)), len(environments)
        self._games = GameBatch(config, environments, game_threads(config), seed)
        self._generator = torch.Generator().manual_seed(seed)
        first = torch.from_numpy(self._games.reset())
        # One row more than a rollout: what comes after it, which the next one begins with.
        self._observations = first.new_empty(length + 1, *first.shape)
        self._next_observations = self._observations[0]
        self._next_observations.copy_(first)
        self._actions = torch.empty(length, batch, dtype=torch.int64)
        self._rewards = torch.empty(length, batch)
        self._values = torch.empty(length, batch)
        self._next_values = torch.empty(length, batch)
        self._ended = torch.empty(length, batch, dtype=torch.bool)

    def take_finished(self) -> list[FinishedGame]:
        """Return the games that ended since the last call."""
        return self._games.take_finished()

    def state(self) -> bytes:
        """Return where the games and the sampling of actions stand between two rollouts, as safetensors."""
        generator = self._generator.get_state().numpy()
        return safetensors.numpy.save(self._games.state() | {"generator": generator})

    def restore(self, state: bytes) -> None:
        """Go on from a ``state`` of as many games."""
        arrays = safetensors.numpy.load(state)
        self._generator.set_state(torch.from_numpy(arrays["generator"]))
        self._next_observations.copy_(torch.from_numpy(self._games.restore(arrays)))

    @torch.no_grad()
    def collect(self, network: ActorCritic, progress: float = 0.0) -> Rollout:
        """Play as many steps as a rollout has at this point of the run, or fewer where a single game ends.

        Args:
            network: The policy, whose values go with it.
            progress: Of the run, 0 to 1.

        Returns:
            ``(T, B)`` steps; its tensors are overwritten by the next call.
        """
        length = self._config.rollout_length_at(progress)
        self._observations[0] = self._next_observations
        self._next_values.zero_()
        noise = gumbel_noise((length, len(self._games), network.num_actions), self._generator)
        all_logits: list[Tensor] = []
        layer_outputs: list[list[Tensor]] = []
        for t in range(length):
            logits, self._values[t], outputs = network.act(self._observations[t])
            all_logits.append(logits)
            layer_outputs.append(outputs)
            self._actions[t] = (logits + noise[t]).argmax(dim=1)
            outcome = self._games.step(self._actions[t].tolist(), self._observations[t + 1].numpy())
            self._record(t, outcome, network)
            if len(self._games) == 1 and self._ended[t, 0]:
                length = t + 1
                break
        self._next_observations = self._observations[length]
        _, bootstrap_values = network(self._next_observations)
        following = torch.cat((self._values[1:length], bootstrap_values.unsqueeze(0)))
        self._next_values[:length] += following * ~self._ended[:length]
        return Rollout(
            self._observations[:length],
            torch.stack(all_logits),
            self._actions[:length],
            self._rewards[:length],
            self._values[:length],
            self._next_values[:length],
            self._ended[:length],
            layer_outputs,
        )

    def _record(self, t: int, outcome: StepOutcome, network: ActorCritic) -> None:
        """Write row ``t``; next values only for truncated games, whose last state is not in a row."""
        self._rewards.numpy()[t] = outcome.rewards
        np.logical_or(outcome.terminated, outcome.truncated, out=self._ended.numpy()[t])
        for index, observation in outcome.last_observations.items():
            if not outcome.terminated[index]:
                self._next_values[t, index] = network(torch.from_numpy(observation[np.newaxis]))[1].item()


def game_threads(config: TrainConfig) -> int:
    """Return how many threads play a learner's games: for a2c one a core, but CartPole holds Python's lock."""
    if config.algorithm == "a3c" or config.game == CARTPOLE:
        return 1
    return min(config.threads, config.envs, os.cpu_count() or 1)


def gumbel_noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw noise for which the argmax of logits plus noise is a sample of their softmax."""
    return -torch.empty(shape).exponential_(generator=generator).log_()


def training_seeds(sequence: np.random.SeedSequence, count: int) -> list[int]:
    """Draw even seeds: evaluation has the odd ones."""
    words = sequence.generate_state(count) >> 1  # 31 bits, which every generator takes
    return [int(word) & ~1 for word in words]


def make_environments(config: TrainConfig, seeds: Sequence[int]) -> list[Game]:
    """Build the games that one actor-learner plays at once, one for each seed."""
    return [make_environment(config, seed) for seed in seeds]


def make_network(config: TrainConfig, environment: gymnasium.Env[Any, Any]) -> ActorCritic:
    """Build the network of ``config`` for the observations and actions of ``environment``."""
    assert isinstance(environment.action_space, Discrete), f"{environment.action_space} is not discrete"
    assert environment.observation_space.shape is not None
    return ActorCritic(
        config.network,
        environment.observation_space.shape,
        int(environment.action_space.n),
        config.separate_value_network,
        config.is_symmetric,
    )
