"""Where a model's points are lost: at which bricks, how long after the last hit, and where the time goes.

Plays full sampled games of Breakout, as ``play.py --episodes`` does, and looks at every step of them. A wall has
108 bricks, 432 points; after the second one no third comes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch

from benchmarks.common.machine import describe_machine
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from breakout_a3c.games.seeds import action_generator
from breakout_a3c.playing.evaluation import Protocol, choose_actions, make_evaluation_environment
from breakout_a3c.saving.agent import Agent, load_agent

WALL_BRICKS = 108
ONE_BRICK = {1.0, 4.0, 7.0}  # points, by its row; another reward is of two
PHASES = {  # bricks hit so far
    "first half of the first wall": range(54),
    "from there to the last ten": range(54, WALL_BRICKS - 10),
    "last ten of the first wall": range(WALL_BRICKS - 10, WALL_BRICKS),
    "second wall": range(WALL_BRICKS, 2 * WALL_BRICKS + 1),
}


@dataclass(slots=True)
class Game:
    """One game, step by step."""

    score: float = 0.0
    bricks: list[int] = field(default_factory=list)  # hit before each step
    values: list[float] = field(default_factory=list)  # by the critic
    losses: list[int] = field(default_factory=list)  # the steps at which a ball was lost
    truncated: bool = False


def play(agent: Agent, protocol: Protocol) -> Iterator[Game]:
    """Play the games of ``protocol`` next to each other."""
    seeds = protocol.game_seeds()
    environments = [make_evaluation_environment(agent.checkpoint.config.game, protocol) for _ in seeds]
    generators = [action_generator(seed) for seed in seeds]
    observations = [env.reset(seed=seed)[0] for env, seed in zip(environments, seeds, strict=True)]
    games, bricks, playing = [Game() for _ in seeds], [0] * len(seeds), list(range(len(seeds)))
    lstm_states = agent.network.first_lstm_state(len(seeds))
    while playing:
        with torch.no_grad():
            screens = torch.from_numpy(np.stack([observations[index] for index in playing]))
            logits, values, _, lstm_states[playing] = agent.network.act(screens, lstm_state=lstm_states[playing])
        actions = choose_actions(logits.numpy(), protocol.greedy, [generators[index] for index in playing])
        for index, action, value in zip(list(playing), actions.tolist(), values.tolist(), strict=True):
            game = games[index]
            game.bricks.append(bricks[index])
            game.values.append(value)
            observations[index], reward, over, game.truncated, info = environments[index].step(action)
            game.score += float(reward)
            bricks[index] += 0 if not reward else 1 if reward in ONE_BRICK else 2
            if info["life_lost"]:
                game.losses.append(len(game.bricks) - 1)
                lstm_states[index] = 0.0
            if over or game.truncated:
                playing.remove(index)
                yield game


def steps_since_a_brick(game: Game, step: int) -> int:
    """Return how many agent steps before ``step`` the last brick was hit."""
    bricks = game.bricks[: step + 1]
    return len(bricks) - bricks.index(bricks[-1])


def summarise(games: list[Game]) -> dict[str, Any]:
    """Return what happens in each phase of a game, and how games end."""
    phases = {}
    for name, bricks in PHASES.items():
        reached = [game for game in games if game.bricks[-1] >= bricks.start]
        steps = [sum(hit in bricks for hit in game.bricks) for game in reached]
        losses = [(game, step) for game in reached for step in game.losses if game.bricks[step] in bricks]
        values = [
            value for game in reached for hit, value in zip(game.bricks, game.values, strict=True) if hit in bricks
        ]
        phases[name] = {
            "games that reach it": len(reached),
            "median steps in it": median(steps) if steps else None,
            "balls lost": len(losses),
            "balls lost in 1,000 steps": round(1000 * len(losses) / max(1, sum(steps)), 2),
            "of them within 20 steps of a hit": sum(steps_since_a_brick(*loss) <= 20 for loss in losses),
            "mean value": round(fmean(values), 2) if values else None,
        }
    return {
        "games": len(games),
        "mean score": round(fmean(game.score for game in games), 1),
        "truncated": sum(game.truncated for game in games),
        "first wall cleared": sum(game.bricks[-1] >= WALL_BRICKS for game in games),
        "phases": phases,
    }


def main() -> None:
    """Play, and print and keep the summary."""
    parser = make_parser(__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL", help="a checkpoint or a published model")
    parser.add_argument("--episodes", type=int, default=32, help="[%(default)s]")
    parser.add_argument("--greedy", action="store_true")
    parser.add_argument("--output", type=Path, help="where the result goes as JSON, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    agent = load_agent(options.model)
    # Games of their own, apart from those that are published.
    protocol = Protocol(options.episodes, seed=1_000, greedy=options.greedy, max_episode_frames=65_535)
    summary = summarise(list(play(agent, protocol)))
    for name, value in summary.items():
        print(f"{name}: {value}")
    if options.output:
        write_result({"command": command_line(), "machine": describe_machine(), **summary}, options.output)


if __name__ == "__main__":
    main()
