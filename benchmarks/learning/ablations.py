"""What each piece of the default buys: the default without it, for the same minutes, several seeds.

After the minutes 100 fresh games of the parameters that play are played. The table has the mean of each seed, and the
picture the means beside those of the whole default. What is done is kept, so that the program can be stopped and called
again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.common.drawing import chart
from benchmarks.common.paths import RESULTS, from_root
from benchmarks.common.programs import add_draw_option, make_parser
from benchmarks.learning.recipes import ALL_AT_ONCE, Limit, Recipe, results_of, try_recipes
from breakout_a3c.playing.evaluation import Protocol

OUTPUT = RESULTS / "ablations"
PROTOCOL = Protocol(episodes=100, seed=1900)
DEFAULT = Recipe("the default", "")
ABLATIONS = (
    DEFAULT,
    Recipe("without a memory", "--network paper"),
    Recipe("without symmetry", "--no-symmetric"),
    Recipe("on a black background", "--background black"),
    Recipe("without second chances", "--second-chances 0"),
    Recipe("without late starts", "--late-starts 0"),
    Recipe("stalls do not end a game", "--stall-steps none"),
    Recipe("without sticky games", "--sticky-games 0"),
    Recipe("without the limit on the policy", "--max-kl none"),
    Recipe("without the limit on the values", "--max-value-change none"),
    Recipe("without turns", "", ALL_AT_ONCE),
    Recipe("without warm-up", "--warmup-updates 0"),
    Recipe("annealed linearly and later", "--learning-rate-power 1 --anneal-part 0.5"),
    Recipe("rollouts do not grow", "--final-rollout-length none"),
    Recipe("entropy bonus does not fall", "--final-entropy-coef 0.01"),
    Recipe("a lost life costs nothing", "--life-loss-penalty 0"),
    Recipe("n-step returns in place of GAE", "--gae-lambda 1"),
    Recipe("the newest parameters play", "--average-steps 0"),
    Recipe("float32", "--precision float32"),
)


def table(results: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """Return the score of each seed, the mean and the million steps, as Markdown; the best first after the default."""
    lines = ["| | fresh games, a seed each | mean | million steps |", "|---|---|---|---|"]
    for name in ranked(results):
        scores = scores_of(results[name])
        steps = fmean(result["steps"][-1] for result in results[name]) / 1e6
        lines.append(
            f"| {name} | {', '.join(f'{score:.0f}' for score in scores)} | {fmean(scores):.0f} | {steps:.2f} |"
        )
    return "\n".join(lines)


def scores_of(results: Sequence[dict[str, Any]]) -> list[float]:
    """Return the mean score of each seed."""
    return [result["evaluation"]["mean"] for result in results]


def ranked(results: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    """Return the names of what is done, the default first, then by score."""
    done = [name for name in results if results[name]]
    return sorted(done, key=lambda name: (name != DEFAULT.name, -fmean(scores_of(results[name]))))


def draw(results: Mapping[str, Sequence[dict[str, Any]]], path: Path, minutes: float) -> None:
    """Draw a row for each ablation: its mean as a bar, and a dot a seed."""
    names = ranked(results)[::-1]
    with chart(
        path, f"mean score of 100 fresh games after {minutes:g} minutes", size=(8, 0.35 * len(names) + 1)
    ) as axis:
        for row, name in enumerate(names):
            scores = scores_of(results[name])
            axis.barh(row, fmean(scores), color="C0" if name == DEFAULT.name else "C7", alpha=0.5)
            axis.plot(scores, [row] * len(scores), "k.", markersize=5)
        axis.set_yticks(range(len(names)), names)


def main() -> None:
    """Run each ablation that is not done yet, print the table and draw the picture."""
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--minutes", type=float, default=6.0, help="of each training [%(default)s]")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    add_draw_option(parser)
    options = parser.parse_args()
    if not options.draw:
        try_recipes(ABLATIONS, options.seeds, Limit(minutes=options.minutes), options.output, PROTOCOL)
    results = results_of(options.output, ABLATIONS, options.seeds)
    print(table(results))
    draw(results, options.output / "ablations.png", options.minutes)


if __name__ == "__main__":
    main()
