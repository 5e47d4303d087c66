"""Whether two groups that exchange differences learn as one group does that shares memory.

As many agent steps on the same two cores: 8 actor-learners of one machine, and 4 on each of two machines of a Ray
cluster, which have a core each. With ``--late``: 8 machines whose differences are as late as those of faster machines
are; one of 16 cores makes 6,250 agent steps in a quarter of a second. What is done is kept, so that the program can be
stopped and called again.
"""

from pathlib import Path

from benchmarks.common.paths import RESULTS, from_root
from benchmarks.common.programs import add_draw_option, make_parser
from benchmarks.common.runs import read_result, write_result
from benchmarks.learning.actor_learners import intervals_of, table
from benchmarks.learning.recipes import Limit, Recipe, results_of, try_recipes
from breakout_a3c.playing.evaluation import Protocol

OUTPUT = RESULTS / "cluster" / "learning"
PROTOCOL = Protocol(episodes=100, seed=3300)
TWO_GROUPS = "-m benchmarks.variants.two_groups"
LATE_EXCHANGES = "-m benchmarks.variants.late_exchanges"
RECIPES = (
    Recipe("one group of 8", "--threads 8"),
    Recipe("two groups of 4", "--threads 4", TWO_GROUPS),
)
LATE_RECIPES = tuple(
    Recipe(f"8 machines, {steps} steps each between exchanges", "--threads 8", f"{LATE_EXCHANGES} {steps}")
    for steps in (1250, 6250)
)


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--steps", type=int, default=1_000_000, help="agent steps of each training [%(default)s]")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    parser.add_argument("--late", action="store_true", help="train with late differences instead")
    add_draw_option(parser)
    options = parser.parse_args()
    recipes, file = LATE_RECIPES if options.late else RECIPES, options.output / "intervals.json"
    if not options.draw:
        try_recipes(recipes, options.seeds, Limit(steps=options.steps), options.output, PROTOCOL)
        if not options.late:
            write_result(dict(intervals_of(results_of(options.output, recipes, options.seeds))), file)
    print(table(results_of(options.output, recipes, options.seeds), {} if options.late else read_result(file)))


if __name__ == "__main__":
    main()
