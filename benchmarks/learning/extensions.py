"""The paper's settings, and a synchronous A2C with ours: each trained as long as the default, by the clock.

The default's runs are those of ``time_to_score``, which come first: the longest of them says how long the
others train, over which time their learning rate and entropy are annealed. Afterwards 100 fresh games of each
contender's last checkpoint are played. What is done is kept, so that the program can be stopped and called again;
the picture is drawn from the logs.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks.common.drawing import BY_MINUTES_AND_STEPS, two_charts
from benchmarks.common.paths import RESULTS, WORK, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import add_draw_option, make_parser
from benchmarks.common.runs import read_log, read_result, write_result
from benchmarks.common.trainings import play_games
from benchmarks.learning import time_to_score
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import load_agent

OUTPUT = RESULTS / "extensions"
OURS = "A3C, preset breakout"
CONTENDERS = {  # folder and options of train.py
    "A3C, preset paper": ("paper", ["--preset", "paper"]),
    "A2C, 16 games": ("a2c", ["--algorithm", "a2c", "--envs", "16"]),
}
PROTOCOL_SEED = 1900  # of the evaluations, beyond those of time_to_score


def train_and_evaluate(context: Context, seed: int, arguments: list[str], folder: Path, output: Path) -> dict[str, Any]:
    """Do what is not done yet, and keep it; return what is known of the run."""
    training, result_file = time_to_score.training_of(seed, folder), output / f"seed-{seed}.json"
    result = time_to_score.run_seed(context, seed, arguments, training, result_file)
    if "evaluation" not in result:
        agent = load_agent(training.snapshots()[-1])
        facts = play_games(context, agent, Protocol(seed=PROTOCOL_SEED))
        result["evaluation"] = {"steps": agent.checkpoint.steps} | facts
        write_result(result, result_file)
    return result


def draw(logs: dict[str, list[Path]], path: Path) -> None:
    """Draw the score of the training games against minutes and steps, a line a seed, a colour a contender."""
    y_label = "score: mean of the last 100 training games"
    with two_charts(path, BY_MINUTES_AND_STEPS, y_label, size=(11, 4)) as axes:
        for number, (name, paths) in enumerate(logs.items()):
            for seed, log in enumerate(paths):
                curve = read_log(log)
                for axis, x in zip(axes, (curve.minutes, curve.steps / 1e6), strict=True):
                    axis.plot(x, curve.scores, color=f"C{number}", label="_" * (seed > 0) + name, linewidth=1.2)
        axes[0].legend(frameon=False)


def main() -> None:
    """Train and evaluate each contender that is not done yet, print the table and draw the curves."""
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--folder", type=Path, default=WORK / "extensions", help="for checkpoints")
    parser.add_argument("--ours", type=Path, default=time_to_score.OUTPUT, help="what time_to_score kept")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    add_draw_option(parser)
    options = parser.parse_args()
    logs = {OURS: sorted(options.ours.glob("seed-*.log"))}
    if not logs[OURS]:
        sys.exit(f"{options.ours} holds no run of the default settings: run benchmarks.learning.time_to_score first.")
    minutes = max(read_log(log).minutes[-1] for log in logs[OURS])
    context = None if options.draw else benchmark_context()
    print("| contender | seed | agent steps | mean of 100 games |\n|---|---|---|---|")
    for name, (key, arguments) in CONTENDERS.items():
        output = options.output / key
        limited = [*arguments, "--total-steps", "none", "--max-minutes", f"{minutes}"]
        for seed in options.seeds:
            if context is None:
                facts = read_result(output / f"seed-{seed}.json")["evaluation"]
            else:
                facts = train_and_evaluate(context, seed, limited, options.folder / key, output)["evaluation"]
            steps, score = facts["steps"], f"{facts['mean']:.1f} ± {facts['standard_error']:.1f}"
            print(f"| {name} | {seed} | {steps:,} | {score} |", flush=True)
        logs[name] = [output / f"seed-{seed}.log" for seed in options.seeds]
    draw(logs, options.output / "curves.png")


if __name__ == "__main__":
    main()
