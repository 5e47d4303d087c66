"""What games other than Breakout reach by their default settings, beside random play.

For each game, ``train.py --game GAME`` runs once, with one seed. Its last checkpoint then plays the 100 games of the
evaluation protocol, and so does a policy that gives each action the same probability. What is done is kept, so that
the program can be stopped and called again.
"""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, WORK, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import read_result, write_result
from benchmarks.common.trainings import Training, play_games
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import Agent, load_agent
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint

OUTPUT = RESULTS / "other_games"
MILLION_STEPS = {"pong": 5, "seaquest": 4, "space_invaders": 4}


def train(training: Training, game: str, log: Path) -> Checkpoint:
    """Train on a game, or go on where that was stopped; return the last checkpoint."""
    made = training.snapshots()
    last = load_checkpoint(made[-1]) if made else None
    steps = MILLION_STEPS[game] * 1_000_000
    if last is None or last.steps < steps:
        arguments = [] if last else ["--game", game, "--total-steps", str(steps)]
        with training.running(arguments, resume=made[-1] if made else None, log=log) as process:
            code = process.wait()
        if code:
            raise subprocess.CalledProcessError(code, f"train.py, whose output is in {log}")
    return load_checkpoint(training.snapshots()[-1])


def uniform(agent: Agent) -> Agent:
    """Return an agent that gives each action the same probability in every state."""
    nothing = torch.zeros_like(agent.checkpoint.averaged_parameters)
    return replace(agent, checkpoint=replace(agent.checkpoint, averaged_parameters=nothing))


def measure(context: Context, training: Training, game: str, output: Path) -> dict[str, Any]:
    """Train on a game as far as that was not done before, evaluate, keep and return what was found."""
    log = output / f"{game}.log"
    checkpoint = train(training, game, training.folder / log.name)
    shutil.copy(training.folder / log.name, log)
    agent = load_agent(training.snapshots()[-1])
    result = {
        "game": game,
        "command": command_line(),
        "machine": describe_machine(),
        "training": {
            "command": checkpoint.command,
            "versions": checkpoint.versions,
            "precision": checkpoint.precision,
            "seed": checkpoint.config.upkeep.seed,
            "steps": checkpoint.steps,
            "minutes": round(checkpoint.minutes, 1),
        },
        "evaluation": play_games(context, agent, Protocol()),
        "random": play_games(context, uniform(agent), Protocol()),
    }
    write_result(result, output / f"{game}.json")
    return result


def row(result: dict[str, Any]) -> str:
    """Return a game's line as it is printed."""
    found, random = result["evaluation"], result["random"]
    return (
        f"{result['game']:16} {result['training']['steps'] / 1e6:4.1f}M steps  random {random['mean']:8.1f}  "
        f"trained {found['mean']:8.1f} ± {found['standard_error']:.1f}"
    )


def main() -> None:
    """Train and evaluate each game that is not done yet, and print a line for each."""
    parser = make_parser(__doc__)
    parser.add_argument("--games", nargs="+", choices=MILLION_STEPS, default=list(MILLION_STEPS))
    parser.add_argument("--folder", type=Path, default=WORK / "other_games", help="for checkpoints and curves")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    options.output.mkdir(parents=True, exist_ok=True)
    context = benchmark_context()
    for game in options.games:
        kept = options.output / f"{game}.json"
        training = Training(options.folder, game)
        result = read_result(kept) if kept.exists() else measure(context, training, game, options.output)
        print(row(result), flush=True)


if __name__ == "__main__":
    main()
