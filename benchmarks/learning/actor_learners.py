"""What the number of actor-learners does to learning, at the same number of agent steps on the same cores.

Where actor-learners share a core they take turns, so that their gradients are hardly late whatever their number. The
last rows show what it costs where each has a core of its own: 4, 8 and 16 run at a time, with gradients as late as
there. What is done is kept, so that the program can be stopped and called again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.intervals import Interval, interquartile_means
from benchmarks.common.paths import RESULTS, from_root
from benchmarks.common.programs import add_draw_option, make_parser
from benchmarks.common.runs import read_result, write_result
from benchmarks.learning.recipes import Limit, Recipe, results_of, try_recipes
from breakout_a3c.playing.evaluation import Protocol

OUTPUT = RESULTS / "actor_learners"
PROTOCOL = Protocol(episodes=100, seed=2900)
NUMBERS = (1, 2, 4, 8, 16, 32)
AT_ONCE = "-m benchmarks.variants.at_once"
RECIPES = (
    *(Recipe(f"{number} actor-learners", f"--threads {number}") for number in NUMBERS),
    *(Recipe(f"{number} at a time", f"--threads {number}", f"{AT_ONCE} {number}") for number in (4, 8, 16)),
)


def table(results: Mapping[str, Sequence[dict[str, Any]]], intervals: Mapping[str, Sequence[float]]) -> str:
    """Return the score of each seed and the interquartile mean with its interval, as Markdown.

    Args:
        results: Of each recipe, a result a seed.
        intervals: Mean, low and high of each recipe.
    """
    lines = ["| | 100 fresh games, a seed each | interquartile mean (95% interval) |", "|---|---|---|"]
    for name, each in results.items():
        scores = ", ".join(f"{result['evaluation']['mean']:.0f}" for result in each)
        interval = Interval(*intervals[name]).text(0) if name in intervals else "-"
        lines.append(f"| {name} | {scores or '-'} | {interval} |")
    return "\n".join(lines)


def intervals_of(results: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Interval]:
    """Return the interquartile mean over the seeds of each recipe that has two or more."""
    scores = {
        name: [result["evaluation"]["mean"] for result in each] for name, each in results.items() if len(each) > 1
    }
    return interquartile_means(scores) if scores else {}


def main() -> None:
    """Run each number that is not done yet, and print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=1_500_000, help="agent steps of each training [%(default)s]")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    add_draw_option(parser)
    options = parser.parse_args()
    file = options.output / "intervals.json"
    if not options.draw:
        try_recipes(RECIPES, options.seeds, Limit(steps=options.steps), options.output, PROTOCOL)
        write_result(dict(intervals_of(results_of(options.output, RECIPES, options.seeds))), file)
    print(table(results_of(options.output, RECIPES, options.seeds), read_result(file)))


if __name__ == "__main__":
    main()
