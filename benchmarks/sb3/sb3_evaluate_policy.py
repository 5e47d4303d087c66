"""Lets SB3's evaluate_policy judge one of this project's models, over SB3's own Atari environment.

Run by evaluation/sb3_harness.py in SB3's virtual environment. What differs from this project's protocol: SB3 turns
RGB to gray after the maximum of two screens, not before; a stack of frames begins with zeros, not with copies
of the first; each life begins with FIRE and RIGHT, a frame skip each, where ours presses FIRE for one frame;
a lost life ends the agent's episode and fills the stack anew (as in our training), and Monitor counts the whole
game. No-op starts, frame skip and the absence of sticky actions are the same.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from stable_baselines3.common.evaluation import evaluate_policy
from torch import Tensor

from benchmarks.sb3.sb3_games import make_games
from breakout_a3c.games.seeds import action_generator
from breakout_a3c.playing.evaluation import choose_actions
from breakout_a3c.saving.agent import load_agent

ENVIRONMENTS = 8


class Adapter:
    """What evaluate_policy wants of a model: actions for observations ``(B, 84, 84, 4)``."""

    def __init__(self, path: Path, num_actions: int) -> None:
        agent = load_agent(path)
        self._network = agent.network
        # Our three actions are FIRE, RIGHT and LEFT; SB3's four have NOOP before them.
        self._offset = num_actions - agent.network.num_actions
        self._generator = action_generator(0)

    def predict(
        self,
        observations: np.ndarray,
        state: tuple[Tensor] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, tuple[Tensor]]:
        """Return one action an environment, and what the network remembers."""
        lstm_state = self._network.first_lstm_state(len(observations)) if state is None else state[0]
        if episode_start is not None:
            lstm_state[torch.from_numpy(episode_start)] = 0.0
        with torch.no_grad():
            logits, *_, lstm_state = self._network.act(torch.from_numpy(observations), lstm_state=lstm_state)
        actions = choose_actions(logits.numpy(), deterministic, [self._generator] * len(logits))
        return actions + self._offset, (lstm_state,)


def main() -> None:
    """Evaluate the model named on the command line, sampled or greedy, and print the scores as JSON."""
    model, episodes, policy = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(1)
    games = make_games(ENVIRONMENTS, seed=10_007, clip_reward=False)
    adapter = Adapter(model, games.action_space.n)
    scores, lengths = evaluate_policy(
        adapter, games, n_eval_episodes=episodes, deterministic=policy == "greedy", return_episode_rewards=True
    )
    games.close()
    print(json.dumps({"scores": scores, "lengths": lengths}))


if __name__ == "__main__":
    main()
