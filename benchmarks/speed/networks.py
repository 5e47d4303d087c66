"""What each network costs: training by the default settings with each of them, beside the bare emulator.

Side by side in one run, in turn, in short slices; see common/contenders.py. All begin with fresh weights.
"""

from pathlib import Path

from benchmarks.common.contenders import run_rounds, training
from benchmarks.common.emulators import emulators, run_bare_emulator
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from breakout_a3c.presets import BREAKOUT

OUTPUT = RESULTS / "throughput" / "networks.json"
NETWORKS = ("paper", "lstm", "nature", "nature-lstm")


def main() -> None:
    """Run the rounds, print the table, save the result."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slice-seconds", type=float, default=6.0)
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    context = benchmark_context()
    bare = emulators(context, "bare emulator", run_bare_emulator)
    trainings = [training(context, name, BREAKOUT.replace(network=name), None) for name in NETWORKS]
    run_rounds([bare, *trainings], options.rounds, options.slice_seconds)
    reference = trainings[0]
    print(f"\n| network | steps/s | of the bare emulator | of {reference.name} |")
    print("|---|---|---|---|")
    rows = []
    for contender in trainings:
        row = contender.summary(bare)
        row["share_of_paper"] = contender.summary(reference)["share_of_reference"]
        print(
            f"| {row['name']} | {row['steps_per_second']:,} | {row['share_of_reference']:.0%} "
            f"| {row['share_of_paper']:.0%} |"
        )
        rows.append(row)
    result = {"command": command_line(), "machine": describe_machine(), "rows": [bare.summary(bare), *rows]}
    write_result(result, options.output)
    print(f"\n{options.output}")


if __name__ == "__main__":
    main()
