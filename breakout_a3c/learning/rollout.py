"""Rollouts: what an actor-learner plays between two updates (Mnih et al. 2016, algorithm S3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.batch import BatchStep, FinishedGame, GameBatch
from breakout_a3c.games.make import Game
from breakout_a3c.learning.cached_layers import CachedOutputs
from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.processes.resources import usable_cores

PART_STEPS = 80  # agent steps that are differentiated at a time


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
    lstm_states: Tensor  # (T, B, S) float32, what the games remembered before each step; without a memory S is 0
    cached_outputs: list[CachedOutputs]  # T times what acting computed, for the gradient

    def __len__(self) -> int:
        """Return the number of agent steps, ``T * B``."""
        return self.actions.numel()

    def parts(self) -> list[slice]:
        """Return rows of ``T`` to differentiate at a time, so that memory does not grow with the rollout."""
        length, batch = self.actions.shape
        rows = max(1, PART_STEPS // batch)
        return [slice(first, min(first + rows, length)) for first in range(0, length, rows)]

    def cached_outputs_of(self, rows: slice) -> CachedOutputs:
        """Return what acting computed for some rows, ``(rows * B, ...)`` each layer."""
        return CachedOutputs.joined(self.cached_outputs[rows])

    def features(self, network: ActorCritic) -> list[Tensor]:
        """Return the features ``(T, B, num_features)`` of each trunk of the network that acted, as it computed them."""
        steps = [network.features_of(cached) for cached in self.cached_outputs]
        return [torch.stack(features) for features in zip(*steps, strict=True)]

    def replay(self, network: ActorCritic, games: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits ``(T, G, A)`` and values ``(T, G)`` of another network in some of the games.

        Args:
            network: With the same layers.
            games: ``(G,)`` int64, their indices.
        """
        # Not [:, games], which takes ten times as long.
        features = network.features(self.observations.index_select(1, games).flatten(0, 1))
        features = [each.unflatten(0, (-1, len(games))) for each in features]
        return network.replay(features, self.lstm_states[0, games.to(network.device)], self.ended[:, games])


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
        length, batch = max(config.returns.rollout_length_at(annealed) for annealed in (0.0, 1.0)), len(environments)
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
        self._lstm_state: Tensor | None = None  # (B, S), what the games remember; None: that of their beginning

    def take_finished(self) -> list[FinishedGame]:
        """Return the games that ended since the last call."""
        return self._games.take_finished()

    def state(self) -> bytes:
        """Return where the games and the sampling of actions stand between two rollouts, as safetensors."""
        generator = self._generator.get_state().numpy()
        arrays = self._games.state() | {"generator": generator}
        if self._lstm_state is not None and self._lstm_state.numel():
            arrays["lstm_state"] = self._lstm_state.cpu().numpy()
        return safetensors.numpy.save(arrays)

    def restore(self, state: bytes) -> None:
        """Go on from a ``state`` of as many games.

        Raises:
            ValueError: If it is not such a state.
        """
        arrays = safetensors.numpy.load(state)
        if "lstm_state" in arrays:
            self._lstm_state = torch.from_numpy(arrays["lstm_state"]).float()
            if len(self._lstm_state) != len(self._games) or not self._lstm_state.isfinite().all():
                raise ValueError("what the games remember is no LSTM state of theirs")
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
        length = self._config.returns.rollout_length_at(self._config.schedule.annealed(progress))
        self._games.begin_sticky_games = progress >= self._config.game.sticky_games_begin
        self._observations[0] = self._next_observations
        self._next_values.zero_()
        noise = gumbel_noise((length, len(self._games), network.num_actions), self._generator)
        all_logits: list[Tensor] = []
        cached_outputs: list[CachedOutputs] = []
        weights = network.weights()
        lstm_state = self._lstm_state_for(network)
        lstm_states: list[Tensor] = []
        for t in range(length):
            lstm_states.append(lstm_state)
            logits, self._values[t], cached, lstm_state = network.act(self._observations[t], weights, lstm_state)
            all_logits.append(logits)
            cached_outputs.append(cached)
            self._actions[t] = (logits + noise[t]).argmax(dim=1)
            batch_step = self._games.step(self._actions[t].tolist(), self._observations[t + 1].numpy())
            self._record(t, batch_step, network, lstm_state)
            lstm_state = lstm_state.masked_fill(self._ended[t].unsqueeze(1).to(network.device), 0.0)
            if len(self._games) == 1 and self._ended[t, 0]:
                length = t + 1
                break
        self._next_observations = self._observations[length]
        self._lstm_state = lstm_state
        _, bootstrap_values, *_ = network.act(self._next_observations, weights, lstm_state)
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
            torch.stack(lstm_states),
            cached_outputs,
        )

    def _lstm_state_for(self, network: ActorCritic) -> Tensor:
        """Return what the games remember, or that of their beginning where another network played them."""
        first = network.first_lstm_state(len(self._games))
        if self._lstm_state is None or self._lstm_state.shape != first.shape:
            return first
        return self._lstm_state.to(network.device)

    def _record(self, t: int, batch_step: BatchStep, network: ActorCritic, lstm_state: Tensor) -> None:
        """Write row ``t``; next values only for truncated games, whose final state is not in a row."""
        self._rewards.numpy()[t] = batch_step.rewards
        np.logical_or(batch_step.terminated, batch_step.truncated, out=self._ended.numpy()[t])
        for index, observation in batch_step.final_observations.items():
            if not batch_step.terminated[index]:
                _, value = network(torch.from_numpy(observation[np.newaxis]), lstm_state[index : index + 1])
                self._next_values[t, index] = value.item()


def gumbel_noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw noise for which the argmax of logits plus noise is a sample of their softmax."""
    return -torch.empty(shape).exponential_(generator=generator).log_()


def game_threads(config: TrainConfig) -> int:
    """Return how many threads play a learner's games: for a2c one a core, if they leave Python's lock alone."""
    if config.learners.algorithm == "a3c" or not config.game.is_atari:
        return 1
    return min(config.learners.threads, config.learners.envs, usable_cores())
