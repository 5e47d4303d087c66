"""How close training comes to the emulator's own speed: ``make bench``.

Side by side in one run: the bare emulator, our environment, and training with several numbers of
actor-learners. They run in turn, in short slices; see common/contenders.py.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.contenders import Contender, run_rounds, training
from benchmarks.common.emulators import emulators, run_bare_emulator, run_environment
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import MODELS, RESULTS, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from breakout_a3c.games.batch import GameBatch
from breakout_a3c.learning import actor_learner
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.optimizer import SharedOptimizer
from breakout_a3c.learning.reports import ReportSender
from breakout_a3c.learning.rollout import RolloutCollector
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.start import Context
from breakout_a3c.saving.agent import load_weights
from breakout_a3c.training.plan import TrainingPlan, initial_parameters

MODEL = MODELS / "breakout-5m.safetensors"
OUTPUT = RESULTS / "throughput" / "throughput.json"
TIMED = (  # whose method, and the name of its time
    (GameBatch, "step", "environment"),
    (RolloutCollector, "collect", "collect"),
    (LocalParameters, "pull", "pull and push"),
    (SharedOptimizer, "step_for", "pull and push"),
    (SharedParameters, "push", "pull and push"),
    (actor_learner, "limit_step", "step limits"),
)


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


def time_breakdown(model: Path, steps: int = 40_000) -> dict[str, float]:
    """Return where one actor-learner, alone on the machine, spends its time, in us an agent step."""
    config = PRESETS["breakout"].replace(threads=1, total_steps=steps)
    shared = initial_parameters(TrainingPlan(config, "breakdown", Path(), Path(), initial=load_weights(model)))
    torch.set_flush_denormal(True)
    _reader, writer = Pipe(duplex=False)
    with timed_methods() as seconds:
        actor_learner.learn(config, shared, 0, ReportSender(0, writer))  # its reports fit into the pipe
        # From the first rollout on: loading the games is not learning.
        total = time.perf_counter() - seconds.pop("began")
    collect = seconds.pop("collect")
    seconds["act"] = collect - seconds["environment"]
    # The pull inside the step limits is counted twice.
    seconds["train"] = total - collect - seconds["pull and push"] - seconds["step limits"]
    return {name: round(1e6 * value / steps, 1) for name, value in seconds.items()}


@contextmanager
def timed_methods() -> Iterator[dict[str, float]]:
    """Time the methods of TIMED inside the ``with`` block; yield their seconds by name."""
    seconds: dict[str, float] = defaultdict(float)
    originals = [getattr(owner, method) for owner, method, _ in TIMED]
    for (owner, method, name), original in zip(TIMED, originals, strict=True):
        setattr(owner, method, timed(original, seconds, name))
    try:
        yield seconds
    finally:
        for (owner, method, _), original in zip(TIMED, originals, strict=True):
            setattr(owner, method, original)


def timed(function: Callable[..., Any], seconds: dict[str, float], name: str) -> Callable[..., Any]:
    """Return ``function`` with its time added to ``seconds[name]``."""

    def run(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        seconds.setdefault("began", began)
        result = function(*args, **kwargs)
        seconds[name] += time.perf_counter() - began
        return result

    return run


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
        default=MODEL,
        help="what the breakout preset trains from, so that its games are those of most of a run [breakout-5m]",
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    contenders = make_contenders(benchmark_context(), options.model)
    run_rounds(contenders, options.rounds, options.slice_seconds)
    breakdown = time_breakdown(options.model)
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
