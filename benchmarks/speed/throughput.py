"""How close training comes to the emulator's own speed: ``make bench``.

Side by side in one run: the bare emulator, our environment, and training with several numbers of
actor-learners. They run in turn, in short slices; see common/contenders.py.
"""

from pathlib import Path
from typing import Any

from benchmarks.common.contenders import Contender, run_rounds, training
from benchmarks.common.emulators import emulators, run_bare_emulator, run_environment
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import LEARNED, RESULTS, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from benchmarks.speed.breakdown import time_breakdown
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.start import Context

OUTPUT = RESULTS / "throughput" / "throughput.json"


def make_contenders(context: Context, model: Path) -> list[Contender]:
    """Start everything that is measured; the bare emulator first."""
    breakout, paper = PRESETS["breakout"], PRESETS["paper"]
    return [
        emulators(context, "bare emulator", run_bare_emulator),
        emulators(context, "our environment", run_environment),
        *(
            training(context, f"breakout, {threads} actor-learners", breakout.replace(threads=threads), model)
            for threads in (1, 2, 4, 8, 16)
        ),
        training(context, "paper, 8 actor-learners", paper.replace(threads=8), None),
    ]


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the result as a Markdown table."""
    print("\n| | steps/s | frames/s | of the bare emulator | cores used | memory, MB (PSS) |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['name']} | {row['steps_per_second']:,} | {row['frames_per_second']:,} "
            f"| {row['share_of_reference']:.0%} | {row['cores_used']} | {row['memory_mb']:,} |"
        )


def main() -> None:
    """Run the rounds, print the table, save the result."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slice-seconds", type=float, default=6.0)
    parser.add_argument(
        "--model",
        type=Path,
        default=LEARNED,
        help="what the breakout preset trains from, so that its games are those of most of a run [the one of "
        "docs/notes/lstm.md]",
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    contenders = make_contenders(benchmark_context(), options.model)
    run_rounds(contenders, options.rounds, options.slice_seconds)
    breakdown = time_breakdown(PRESETS["breakout"], options.model)
    rows = [contender.summary(contenders[0]) for contender in contenders]
    print_table(rows)
    print("\none actor-learner, us an agent step:", ", ".join(f"{name} {us}" for name, us in breakdown.items()))
    result = {
        "command": command_line(),
        "model": options.model.name,
        "machine": describe_machine(),
        "rows": rows,
        "us_per_step_of_one_actor_learner": breakdown,
    }
    write_result(result, options.output)
    print(f"\n{options.output}")


if __name__ == "__main__":
    main()
