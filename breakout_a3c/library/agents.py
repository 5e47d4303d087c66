"""Trained agents for programs of a user's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.games.make import Game, make_environment
from breakout_a3c.library.translation import Translation, observations_for
from breakout_a3c.saving import agent as saved
from breakout_a3c.saving.model_names import model_path, published_models


class Policy(NamedTuple):
    """What a network says of one state, or of ``B`` states."""

    probabilities: NDArray[np.float32]  # (A,) or (B, A)
    value: NDArray[np.float32]  # () or (B,), the discounted return that it expects


class TrainedAgent:
    """A trained network that is asked for actions. It computes with one thread.

    One with a memory (``--network lstm``) remembers the observations that it acted on; ``forget`` begins anew.

    Args:
        agent: As it was loaded.
        seed: Of the actions that are sampled; None for a random one.

    Attributes:
        network: The actor-critic, a ``torch.nn.Module``.
        config: All settings of its training.
        action_names: What its actions 0, 1, ... do. They are not those of other environments: see ``translate``.
    """

    def __init__(self, agent: saved.Agent, seed: int | None = None) -> None:
        self.network = agent.network
        self.config: TrainConfig = agent.checkpoint.config
        environment = self.make_environment()
        self.action_names = environment.action_names
        shape = environment.observation_space.shape
        assert shape is not None, "a game shows arrays"
        self._shape = shape
        self._lstm_state = self.network.first_lstm_state(1)  # (B, S)
        environment.close()
        self._random = np.random.default_rng(seed)

    def policy(self, observations: ArrayLike) -> Policy:
        """Return the probabilities of the actions, and the value.

        Args:
            observations: One, or a batch with the batch first. Of Atari games ``(84, 84, 4)`` or ``(4, 84, 84)``
                uint8, the last four frames, the oldest first; of CartPole ``(4,)`` floats.

        Raises:
            UserError: If they have another shape or type.
        """
        logits, values, is_batch, _ = self._ask(observations)
        probabilities: NDArray[np.float32] = logits.softmax(-1).numpy()
        return Policy(probabilities, values.numpy()) if is_batch else Policy(probabilities[0], values.numpy()[0])

    def act(self, observations: ArrayLike, *, greedy: bool = False) -> Any:
        """Return an index into ``action_names``, or ``(B,)`` int64 of them for a batch.

        Args:
            observations: As for ``policy``.
            greedy: Take the most probable action instead of sampling one. Published scores are sampled.

        Raises:
            UserError: If the observations have another shape or type.
        """
        logits, _, is_batch, self._lstm_state = self._ask(observations)
        scores = logits.numpy()
        if not greedy:
            scores = scores + self._random.gumbel(size=scores.shape)  # whose argmax is a sample of the softmax
        actions = scores.argmax(axis=1)
        return actions if is_batch else int(actions[0])

    def forget(self, ended: ArrayLike = True) -> None:
        """Begin a game or a life: a network with a memory has no past then. For others this does nothing.

        Args:
            ended: Of a batch, ``(B,)`` bool: which of its games.
        """
        self._lstm_state = self._lstm_state.masked_fill(torch.as_tensor(np.asarray(ended)).reshape(-1, 1), 0.0)

    def _ask(self, observations: ArrayLike) -> tuple[torch.Tensor, torch.Tensor, bool, torch.Tensor]:
        """Return logits ``(B, A)``, values ``(B,)``, whether it was a batch, and what is remembered afterwards."""
        batch, is_batch = observations_for(self._shape, np.asarray(observations))
        if len(batch) != len(self._lstm_state):
            self._lstm_state = self.network.first_lstm_state(len(batch))
        with torch.no_grad(), one_thread():
            logits, values, _, lstm_state = self.network.act(torch.from_numpy(batch), lstm_state=self._lstm_state)
        return logits, values, is_batch, lstm_state

    def make_environment(self, seed: int | None = None, **changes: Any) -> Game:
        """Build the game that it was trained on, as a gymnasium environment whose actions are its own.

        Args:
            seed: Of the game; None for a random one.
            **changes: Arguments of AtariGame to set otherwise, such as ``sticky=0.25``.
        """
        return make_environment(self.config.game, seed, **changes)

    def translate(self, environment: Any) -> Translation:
        """Return what turns the observations of another environment into ours, and our actions into its own.

        Args:
            environment: Of gymnasium, one or a vector of them, or a vector of Stable-Baselines3.

        Raises:
            UserError: If it is another game, or one that would be played wrongly without a word.
        """
        return Translation(environment, self.config.game, self._shape, self.action_names)

    def play_in(
        self, environment: Any, episodes: int = 1, *, greedy: bool = False, seed: int | None = None
    ) -> list[float]:
        """Play whole games in another environment; return their scores, in the order in which they ended.

        Args:
            environment: As for ``translate``.
            episodes: Games that are played to their end.
            greedy: As for ``act``.
            seed: Of the environment.

        Raises:
            UserError: If the environment would be played wrongly, or counts other scores than the game's.
        """
        translation = self.translate(environment)
        translation.require_whole_scores()
        self.forget()
        return translation.play(
            lambda observations: self.act(observations, greedy=greedy),
            self.forget,
            episodes,
            seed,
        )


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: the networks are small, and on a busy machine a second one takes its turn only later."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def load_agent(source: str | Path, seed: int | None = None) -> TrainedAgent:
    """Load a checkpoint, a model, or a published model by its name, such as ``breakout``.

    Args:
        source: Path or name.
        seed: Of the actions that are sampled.

    Raises:
        UserError: If there is none, or it is damaged or of another program.
    """
    path = model_path(source)
    if not path.suffix:
        names = ", ".join(published_models())
        raise UserError(f"there is no model {str(source)!r:.50}: give a path, or one of {names}.")
    return TrainedAgent(saved.load_agent(path), seed)
