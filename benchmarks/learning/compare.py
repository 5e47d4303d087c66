"""The methods side by side: ``make compare``.

On CartPole: A3C with 1, 3 and 8 actor-learners, A2C, TD actor-critic and REINFORCE; on Breakout: A3C and
A2C. Every method of a game gets the same wall-clock, one run after another, with several seeds. On CartPole
learning rate and entropy are annealed over that time; on Breakout the schedules are those of the whole
training, of which this is the beginning. What is done is kept in the result file, so that the program can be
stopped and called again; the pictures are drawn from that file.
"""

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.drawing import draw_band, two_charts
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, from_root
from benchmarks.common.programs import add_draw_option, make_parser
from benchmarks.common.runs import Array, first_reaching, read_result, thinned, write_result
from benchmarks.common.trainings import Training
from breakout_a3c.playing.curves import read_curve

OUTPUT = RESULTS / "compare"
POINTS = 100  # kept of each curve
CARTPOLE = {
    "A3C, 1 actor-learner": ["--preset", "cartpole", "--threads", "1"],
    "A3C, 3 actor-learners": ["--preset", "cartpole", "--threads", "3"],
    "A3C, 8 actor-learners": ["--preset", "cartpole", "--threads", "8"],
    "A2C, 40 games": ["--preset", "cartpole-a2c"],
    "TD actor-critic": ["--preset", "td-actor-critic"],
    "REINFORCE with baseline": ["--preset", "reinforce"],
}
BREAKOUT = {
    "A3C, 8 actor-learners": ["--preset", "breakout"],
    "A2C, 16 games": ["--preset", "breakout", "--algorithm", "a2c", "--envs", "16"],
}
ANNEALED = ["--total-steps", "none", "--max-minutes"]
# Methods, minutes for each, and the limit that is the horizon of the schedules.
GAMES: dict[str, tuple[dict[str, list[str]], float, list[str]]] = {
    "cartpole": (CARTPOLE, 1.0, [*ANNEALED, "1"]),
    "breakout": (BREAKOUT, 6.0, []),
}
START_SECONDS = 20.0  # at most, until a training counts its time
TARGETS = {"cartpole": 475, "breakout": 5}  # the score whose first time the table tells; CartPole-v1 is solved at 475

Run = dict[str, Any]  # minutes, steps, scores


def run(arguments: list[str], seed: int, minutes: float) -> Run:
    """Train for so long, and return the curve: minutes, steps, and the mean score of the last 100 games."""
    with tempfile.TemporaryDirectory() as folder:
        training = Training(Path(folder), "run")
        options = [*arguments, "--seed", str(seed), "--eval-minutes", "0"]
        with training.running(options) as process, suppress(subprocess.TimeoutExpired):
            process.wait(60 * minutes + START_SECONDS)
        curve = read_curve(training.curves)
    last = int(np.searchsorted(curve.minutes, 1.02 * minutes)) - 1  # an annealed run ends a rollout later
    return thinned(curve, last, POINTS)


def run_missing(game: str, seeds: list[int], result: dict[str, Any], path: Path) -> None:
    """Run the methods and seeds of a game that ``result`` has not, and keep each in ``path``."""
    methods, minutes, limit = GAMES[game]
    for seed in seeds:
        for name, arguments in methods.items():
            runs = result["runs"].setdefault(name, {})
            if str(seed) not in runs:
                runs[str(seed)] = run([*arguments, *limit], seed, minutes) | {"machine": describe_machine()}
                result["minutes"] = minutes
                write_result(result, path)
                print(f"{game}, {name}, seed {seed}: {runs[str(seed)]['scores'][-1]}", flush=True)


def band(runs: list[Run], x: str) -> tuple[Array, Array, Array, Array]:
    """Return x values that all runs reach, and the mean, lowest and highest score there."""
    grid = np.linspace(max(r[x][0] for r in runs), min(r[x][-1] for r in runs), POINTS)
    scores = np.array([np.interp(grid, r[x], r["scores"]) for r in runs])
    return grid, scores.mean(axis=0), scores.min(axis=0), scores.max(axis=0)


def draw(game: str, methods: dict[str, list[Run]], path: Path) -> None:
    """Draw score against minutes and against steps: the mean of the seeds, and from the lowest to the highest."""
    y_label = "score: mean of the last 100 games"
    with two_charts(path, ("minutes", "agent steps"), y_label, size=(12, 5), logarithmic_from=1000) as axes:
        for axis, x in zip(axes, ("minutes", "steps"), strict=True):
            for name, runs in methods.items():
                draw_band(axis, *band(runs, x), name)
        figure = axes[0].figure
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
        seeds = len(next(iter(methods.values())))
        figure.suptitle(f"{game.capitalize()}: mean, lowest and highest of {seeds} seeds")


def first_time(run: Run, target: float) -> tuple[float, float] | None:
    """Return minutes and steps at which the mean of the last 100 games first reached ``target``."""
    return first_reaching(zip(run["minutes"], run["steps"], run["scores"], strict=True), target)


def print_table(methods: dict[str, list[Run]], target: float) -> None:
    """Print for each method, a value a seed: seconds and steps to ``target``, the last score, and agent steps/s."""
    print(f"\n| method | seconds to {target} | thousand steps to {target} | score at the end | steps/s |")
    print("|---|---|---|---|---|")
    for name, runs in methods.items():
        times = [first_time(run, target) for run in runs]
        cells = [
            ", ".join(f"{60 * time[0]:.0f}" if time else "-" for time in times),
            ", ".join(f"{time[1] / 1000:.0f}" if time else "-" for time in times),
            ", ".join(f"{run['scores'][-1]:.0f}" for run in runs),
            f"{np.median([run['steps'][-1] / run['minutes'][-1] / 60 for run in runs]):,.0f}",
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Run what is missing, keep it, print the table, draw the picture."""
    parser = make_parser(__doc__)
    parser.add_argument("--games", nargs="+", choices=list(GAMES), default=["cartpole"], help="[cartpole]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    add_draw_option(parser)
    options = parser.parse_args()
    for game in options.games:
        path = options.output / f"{game}.json"
        result: dict[str, Any] = read_result(path) if path.exists() or options.draw else {"runs": {}}
        if not options.draw:
            run_missing(game, options.seeds, result, path)
        curves = {name: list(result["runs"][name].values()) for name in GAMES[game][0]}
        print_table(curves, TARGETS[game])
        draw(game, curves, path.with_suffix(".png"))
        print(path.with_suffix(".png"))


if __name__ == "__main__":
    main()
