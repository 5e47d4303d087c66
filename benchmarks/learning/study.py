"""What each change to a recipe does to learning.

A recipe is the breakout preset with other options. Each runs to the same number of agent steps, or for the same
minutes, under the schedules of the whole training; its score against steps is kept, and how well its last parameters
play. By steps, two of them may run at a time, beside other work; minutes are for a machine that does nothing else.
What is done is kept, so that the program can be stopped and called again.
"""

from pathlib import Path

from benchmarks.common.paths import RESULTS
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import make_parser
from benchmarks.learning.recipes import ALL_AT_ONCE, Limit, Recipe, result_path, results_of, table, try_recipe
from breakout_a3c.playing.evaluation import Protocol

OUTPUT = RESULTS / "study"
PROTOCOL = Protocol(episodes=30, seed=900)
RECIPES = (
    Recipe("preset", ""),
    Recipe("newest parameters play", "--average-steps 0"),
    Recipe("average over 400,000 steps", "--average-steps 400000"),
    Recipe("rollout 10", "--rollout-length 10"),
    Recipe("rollout 20", "--rollout-length 20"),
    Recipe("rollout 40", "--rollout-length 40"),
    Recipe("rollout 20, lambda 1", "--rollout-length 20 --gae-lambda 1"),
    Recipe("rollout 20, 8 games", "--rollout-length 20 --envs 8"),
    Recipe("rollout 20, gamma 0.995", "--rollout-length 20 --gamma 0.995"),
    Recipe("rollout 20, Adam 3e-4", "--rollout-length 20 --optimizer adam --learning-rate 3e-4 --square-decay 0.999"),
    Recipe("8 games", "--envs 8"),
    Recipe("32 games", "--envs 32"),
    Recipe("lambda 1", "--gae-lambda 1"),
    Recipe("gamma 0.995", "--gamma 0.995"),
    Recipe("learning rate 7e-4", "--learning-rate 7e-4"),
    Recipe("learning rate 1e-3", "--learning-rate 1e-3"),
    Recipe("learning rate 1.4e-3", "--learning-rate 1.4e-3"),
    Recipe("not symmetric", "--no-symmetric"),
    Recipe("limit of 0.001 nats", "--max-kl 0.001"),
    Recipe("limit of 0.004 nats", "--max-kl 0.004"),
    Recipe("limit of 0.03 nats", "--max-kl 0.03"),
    Recipe("black background", "--background black"),
    Recipe("no second chances", "--second-chances 0"),
    Recipe("second chances 0.9", "--second-chances 0.9"),
    Recipe("no limit of the policy", "--max-kl none"),
    Recipe("no limit of the values", "--max-value-change none"),
    Recipe("no warm-up", "--warmup-updates 0"),
    Recipe("no limit of the policy, learning rate 1e-3", "--max-kl none --learning-rate 1e-3"),
    Recipe("alpha 0.999", "--square-decay 0.999"),
    Recipe("Adam 3e-4", "--optimizer adam --learning-rate 3e-4 --square-decay 0.999"),
    Recipe("clip at 0.1", "--max-grad-norm 0.1"),
    Recipe("clip at 40", "--max-grad-norm 40"),
    Recipe("entropy 0.003", "--entropy-coef 0.003"),
    Recipe("entropy 0.02", "--entropy-coef 0.02"),
    Recipe("value coefficient 0.25", "--value-coef 0.25"),
    Recipe("network paper", "--network paper"),
    Recipe("network nature-lstm", "--network nature-lstm"),
    Recipe("4 actions", "--actions minimal"),
    Recipe("a lost life is no end", "--no-terminal-on-life-loss"),
    Recipe("horizon 3M", "--total-steps 3000000"),
    Recipe("horizon 8M", "--total-steps 8000000"),
    Recipe("without turns", "", ALL_AT_ONCE),
)


def main() -> None:
    """Run each recipe that is not done yet, and print the table."""
    names = {recipe.name: recipe for recipe in RECIPES}
    parser = make_parser(__doc__, epilog="Recipes:\n  " + "\n  ".join(names))
    parser.add_argument("recipes", nargs="*", metavar="NAME", choices=[[], *names], help="recipes to run [all]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    limits = parser.add_mutually_exclusive_group()
    limits.add_argument("--steps", type=int, default=1_600_000, help="agent steps of each run [%(default)s]")
    limits.add_argument("--minutes", type=float, help="training minutes of each run")
    parser.add_argument("--start", type=Path, metavar="CHECKPOINT", help="go on from here with each recipe")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="results go to a folder in it, named by the start")
    options = parser.parse_args()
    folder = options.output / (options.start.stem if options.start else "beginning")
    limit = Limit(minutes=options.minutes) if options.minutes else Limit(steps=options.steps)
    context = benchmark_context()
    for name in options.recipes or names:
        for seed in options.seeds:
            path = result_path(folder, names[name], seed)
            try_recipe(context, names[name], seed, limit, path, PROTOCOL, options.start)
    print(table(results_of(folder, RECIPES, options.seeds)))


if __name__ == "__main__":
    main()
