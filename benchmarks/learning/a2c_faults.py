"""Why an A2C for CartPole did not learn: each of its faults put back, one at a time.

The program asked about (40 environments, Adam 3e-3, gradient clip 0.1, gamma 0.95, one step an update) had
three errors in its loss, each of which runs without a word, as torch broadcasts. Here they replace this
project's loss while its own A2C (``--preset cartpole-a2c``) learns, and so do that program's settings, which
are no errors. An update is differentiated as a whole, so that a loss's N is all of it. The faults are here and
nowhere else; tests/learning/test_losses.py keeps the right formulas from turning into them.
"""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, from_root
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from breakout_a3c.config import TrainConfig
from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.games.make import make_environments
from breakout_a3c.learning import actor_learner, rollout
from breakout_a3c.learning.losses import Losses, actor_critic_losses, entropy
from breakout_a3c.learning.networks import make_network
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import PRESETS

OUTPUT = RESULTS / "a2c_faults" / "a2c_faults.json"
PRESET = PRESETS["cartpole-a2c"].replace(max_kl=None)  # the program asked about limits no step

LossFunction = Callable[..., Losses]


def every_action_of_every_state(
    logits: Tensor, values: Tensor, actions: Tensor, advantages: Tensor, returns: Tensor, **options: Any
) -> Losses:
    """Index the log-probabilities ``(N, A)`` by all N actions: N x N numbers instead of N."""
    right = actor_critic_losses(logits, values, actions, advantages, returns, **options)
    log_probs = torch.log_softmax(logits, dim=-1)[:, actions]  # (N, N)
    wrong = -(log_probs * advantages).mean()
    return right._replace(total=right.total - policy_term(logits, actions, advantages) + wrong)


def advantages_n_by_n(
    logits: Tensor, values: Tensor, actions: Tensor, advantages: Tensor, returns: Tensor, **options: Any
) -> Losses:
    """Subtract values ``(N, 1)`` from returns ``(N,)``: every state's return less every state's value."""
    right = actor_critic_losses(logits, values, actions, advantages, returns, **options)
    errors = returns - values.unsqueeze(1)  # (N, N)
    log_probs = torch.log_softmax(logits, dim=-1).gather(1, actions.unsqueeze(1)).squeeze(1)
    wrong = -(log_probs * errors.detach()).mean() + options["value_coef"] * errors.square().mean()
    value_term = options["value_coef"] * (returns - values).square().mean()
    return right._replace(total=right.total - policy_term(logits, actions, advantages) - value_term + wrong)


def entropy_minimised(
    logits: Tensor, values: Tensor, actions: Tensor, advantages: Tensor, returns: Tensor, **options: Any
) -> Losses:
    """Subtract the negative entropy: the bonus is for a policy that has made up its mind."""
    right = actor_critic_losses(logits, values, actions, advantages, returns, **options)
    bonus = options["entropy_coef"] * entropy(torch.log_softmax(logits, dim=-1)).mean()
    return right._replace(total=right.total + 2 * bonus)


def all_three(
    logits: Tensor, values: Tensor, actions: Tensor, advantages: Tensor, returns: Tensor, **options: Any
) -> Losses:
    """The loss as that program had it."""
    all_log_probs = torch.log_softmax(logits, dim=-1)
    errors = returns - values.unsqueeze(1)
    policy = -(all_log_probs[:, actions] * errors.detach()).mean()
    value = options["value_coef"] * errors.square().mean()
    total = policy + value + options["entropy_coef"] * entropy(all_log_probs).mean()
    right = actor_critic_losses(logits, values, actions, advantages, returns, **options)
    return right._replace(total=total)


def policy_term(logits: Tensor, actions: Tensor, advantages: Tensor) -> Tensor:
    """Return the right policy loss, to be taken out."""
    log_probs = torch.log_softmax(logits, dim=-1).gather(1, actions.unsqueeze(1)).squeeze(1)
    return -(log_probs * advantages).mean()


ITS_SETTINGS = PRESET.replace(
    rollout_length=1, gamma=0.95, optimizer="adam", square_decay=0.999, optimizer_eps=1e-3, max_grad_norm=0.1
)
CASES: dict[str, tuple[LossFunction, TrainConfig]] = {
    "no fault": (actor_critic_losses, PRESET),
    "log-probabilities of every action of every state": (every_action_of_every_state, PRESET),
    "N x N advantages": (advantages_n_by_n, PRESET),
    "entropy minimised": (entropy_minimised, PRESET),
    "all three": (all_three, PRESET),
    "its settings, no fault": (actor_critic_losses, ITS_SETTINGS),
    "its settings, all three": (all_three, ITS_SETTINGS),
}


class Scores:
    """Takes an actor-learner's reports, and keeps the scores."""

    def __init__(self) -> None:
        self.scores: list[float] = []

    def add(self, *report: Any) -> None:
        """Take in one update; the finished games come last."""
        games: list[FinishedGame] = report[-1]
        self.scores += [game.episode_return for game in games]


def learn(loss: LossFunction, config: TrainConfig) -> list[float]:
    """Train in this process, and return the scores of all games."""
    torch.manual_seed(config.upkeep.seed)
    shared = SharedParameters.of_network(make_network(config.network, make_environments(config.game, [0])[0]), config)
    scores = Scores()
    whole_update = config.returns.rollout_length * config.learners.envs
    with patch.object(actor_learner, "actor_critic_losses", loss), patch.object(rollout, "PART_STEPS", whole_update):
        actor_learner.learn(config, shared, 0, scores)  # type: ignore[arg-type]
    return scores.scores


def main() -> None:
    """Run each case with each seed, print a table, keep the means of each run's last 100 games."""
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=PRESET.schedule.total_steps, help="[%(default)s]")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, list[float]] = {}
    print("| what is wrong | mean of the last 100 games, a seed each |\n|---|---|")
    for name, (loss, config) in CASES.items():
        runs = [learn(loss, config.replace(seed=seed, total_steps=options.steps)) for seed in options.seeds]
        rows[name] = [round(statistics.fmean(scores[-100:]), 1) for scores in runs]
        print(f"| {name} | {', '.join(map(str, rows[name]))} |", flush=True)
    result = {"command": command_line(), "machine": describe_machine(), "seeds": options.seeds, "last_100": rows}
    write_result(result, options.output)


if __name__ == "__main__":
    main()
