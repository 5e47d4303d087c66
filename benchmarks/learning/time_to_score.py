"""How long the default training takes to a score, as the evaluation protocol defines it.

For each seed, ``train.py`` runs with a snapshot each 20 seconds, all of them kept. Afterwards 100 fresh games of
each snapshot are played, with seeds of that snapshot's own; where their mean reaches a score, 100 others are to confirm
it. A score's time is the training wall-clock of the first snapshot that reaches it both times. A snapshot whose first
30 games are far below the next score plays no more. Of the last snapshot 100 games are played in any case.
The bare emulator's speed is measured before and after each sitting: a run during which it moved by more than 15% says
so, and is to be repeated. What is done is kept, so that the program can be stopped and called again; the table and the
picture are made from what is kept.
"""

import statistics
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.common.emulators import emulator_speed
from benchmarks.common.intervals import MINIMUM, interquartile_means
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, WORK, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import add_draw_option, make_parser
from benchmarks.common.runs import read_result, write_result
from benchmarks.common.trainings import Training, play_games
from benchmarks.learning.crossings import TARGETS, draw, drift_warnings, first_crossing, intervals_of, table
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import load_agent

OUTPUT = RESULTS / "time_to_score"
SNAPSHOT_SECONDS = 20
FIRST_GAMES, GAMES = 30, 100
# Snapshots whose last 100 training games had a mean below this part of the next target are not evaluated.
# The average of the parameters, which plays, has up to four times the score of the training games.
WORTH_EVALUATING = 0.2
FAR_BELOW = 3.0  # standard errors
FIRST_PROTOCOL_SEED = 1000  # of the evaluations, a thousand a training seed; 0 is that of the end and of models
SNAPSHOT_FACTS = ("episodes", "mean", "standard_error", "median", "min", "max", "truncated_games", "seed")


def train(training: Training, seed: int, arguments: list[str], log: Path) -> None:
    """Run the default training with its snapshots, or go on with it where it was stopped."""
    made = training.snapshots()
    beginning = [] if made else ["--seed", str(seed), *arguments]
    snapshots = ["--checkpoint-minutes", f"{SNAPSHOT_SECONDS / 60:.4f}", "--keep-checkpoints", "10000"]
    with training.running([*beginning, *snapshots], resume=made[-1] if made else None, log=log) as process:
        code = process.wait()
    if code:
        raise subprocess.CalledProcessError(code, f"train.py, whose output is in {log}")


def run_seed(
    context: Context, seed: int, arguments: list[str], training: Training, result_file: Path
) -> dict[str, Any]:
    """Train with one seed, as far as that was not done before; return and keep what is known of the run."""
    result: dict[str, Any] = {
        "seed": seed,
        "arguments": arguments,
        "machine": describe_machine(),
        "emulator_steps_per_second": [],  # before and after each sitting
        "trained": False,
        "snapshots": [],
    }
    if result_file.exists():
        result = read_result(result_file)
    if not result["trained"]:
        result["emulator_steps_per_second"].append(round(emulator_speed(context)))
        write_result(result, result_file)
        train(training, seed, arguments, result_file.with_suffix(".log"))
        result["emulator_steps_per_second"].append(round(emulator_speed(context)))
        result["trained"] = True
        write_result(result, result_file)
    return result


def training_of(seed: int, folder: Path, tree: Path | None = None) -> Training:
    """Return the training with one seed, by this checkout's ``train.py`` or by another's."""
    return Training(folder, f"seed-{seed}", tree)


def evaluate_snapshots(context: Context, result: dict[str, Any], training: Training, result_file: Path) -> None:
    """Evaluate the snapshots of a run in the order in which they were made, until the last target is reached."""
    done = {snapshot["steps"] for snapshot in result["snapshots"]}
    for index, path in enumerate(training.snapshots()):
        target = next((target for target in TARGETS if first_crossing(result, target) is None), None)
        if target is None:
            break
        checkpoint = load_agent(path).checkpoint
        returns = checkpoint.recent_returns
        if checkpoint.steps in done or not returns or statistics.fmean(returns) < WORTH_EVALUATING * target:
            continue
        seed = FIRST_PROTOCOL_SEED * (1 + result["seed"]) + 2 * index
        snapshot = {"minutes": round(checkpoint.minutes, 2), "steps": checkpoint.steps}
        result["snapshots"].append(snapshot | evaluate(context, path, seed, target))
        write_result(result, result_file)
        print(
            f"seed {result['seed']}, {checkpoint.minutes:.1f} minutes: {result['snapshots'][-1]['mean']:.1f}",
            flush=True,
        )
    if "end" not in result:
        agent = load_agent(training.snapshots()[-1])
        result["end"] = {"steps": agent.checkpoint.steps} | facts_of(play_games(context, agent, Protocol(GAMES)))
        write_result(result, result_file)


def evaluate(context: Context, path: Path, seed: int, target: float) -> dict[str, Any]:
    """Return how well a snapshot plays, with a second set of games where the first has reached ``target``."""
    agent = load_agent(path)
    first = facts_of(play_games(context, agent, Protocol(FIRST_GAMES, seed=seed)))
    if first["mean"] + FAR_BELOW * first["standard_error"] < target:
        return first
    facts = facts_of(play_games(context, agent, Protocol(GAMES, seed=seed)))
    if facts["mean"] < target:
        return facts
    return facts | {"confirmed": facts_of(play_games(context, agent, Protocol(GAMES, seed=seed + 1)))}


def facts_of(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of an evaluation."""
    return {key: evaluation[key] for key in SNAPSHOT_FACTS}


def main() -> None:
    """Train and evaluate each seed that is not done yet, print the table and draw the curves."""
    parser = make_parser(__doc__, epilog="Further arguments go to train.py.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--tree", type=Path, help="another checkout, whose train.py is to run [this one]")
    parser.add_argument("--folder", type=Path, default=WORK / "time_to_score", help="for snapshots")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    add_draw_option(parser)
    options, arguments = parser.parse_known_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.draw:
        context = benchmark_context()
        for seed in options.seeds:
            training, file = training_of(seed, options.folder, options.tree), options.output / f"seed-{seed}.json"
            evaluate_snapshots(context, run_seed(context, seed, arguments, training, file), training, file)
    results = [read_result(options.output / f"seed-{seed}.json") for seed in options.seeds]
    intervals_file = options.output / "intervals.json"
    if len(results) >= MINIMUM and not options.draw:
        write_result(intervals_of(results, interquartile_means), intervals_file)
    intervals = read_result(intervals_file) if intervals_file.exists() else None
    print("", table(results, intervals), *drift_warnings(results), sep="\n")
    draw(results, options.output / "curves.png", intervals)


if __name__ == "__main__":
    main()
