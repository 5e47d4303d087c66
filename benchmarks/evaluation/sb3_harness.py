"""Checks this project's evaluation by another's: SB3's evaluate_policy over SB3's Atari environment.

The means of both may differ by chance, and by the differences that sb3/sb3_evaluate_policy.py lists: they agree
if the means are no further apart than twice the standard error of their difference. This program makes a virtual
environment for SB3.
"""

import json
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import MODELS, RESULTS, ROOT
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from benchmarks.common.sb3_venv import SB3, add_venv_option, make_sb3_python, sb3_command

MODEL = MODELS / "breakout.safetensors"


def sb3_scores(python: Path, model: Path, episodes: int, policy: str) -> list[float]:
    """Return the scores of a model's games by SB3's evaluate_policy, ``sampled`` or ``greedy``."""
    return scores_of(sb3_command(python, "sb3_evaluate_policy", str(model.resolve()), str(episodes), policy))


def scores_of(command: list[str]) -> list[float]:
    """Run a program that prints JSON; return the scores in it."""
    printed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    scores: list[float] = json.loads(printed)["scores"]
    return scores


def describe(scores: list[float]) -> dict[str, Any]:
    """Return mean and standard error beside the scores."""
    return {
        "mean": round(statistics.fmean(scores), 1),
        "standard_error": round(statistics.stdev(scores) / math.sqrt(len(scores)), 1),
        "scores": scores,
    }


def main() -> None:
    """Evaluate with both, print both, and say whether they agree."""
    parser = make_parser(__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="[models/breakout.safetensors]")
    parser.add_argument("--episodes", type=int, default=100)
    add_venv_option(parser)
    parser.add_argument("--output", type=Path, help="[evaluation/MODEL/sb3.json of the current results]")
    options = parser.parse_args()
    if options.episodes < 2:
        parser.error(f"--episodes is {options.episodes}: the standard error takes two games or more")
    model, episodes = options.model.resolve(), options.episodes
    command = [sys.executable, "play.py", str(model), "--json", "--sticky", "0", "--episodes", str(episodes)]
    theirs = describe(sb3_scores(make_sb3_python(options.venv), model, episodes, "sampled"))
    ours = describe(scores_of(command))
    found = {"SB3's evaluate_policy": theirs, "this project": ours}
    for name, scores in found.items():
        print(f"{name}: {scores['mean']} +- {scores['standard_error']}")
    allowed = 2 * math.hypot(theirs["standard_error"], ours["standard_error"])
    apart = abs(theirs["mean"] - ours["mean"])
    print(f"{apart:.1f} apart, {allowed:.1f} allowed: they {'agree' if apart <= allowed else 'DO NOT agree'}.")
    facts = {"command": command_line(), "model": options.model.name, "sb3": SB3, "machine": describe_machine()}
    output = options.output or RESULTS / "evaluation" / options.model.stem / "sb3.json"
    write_result(facts | {"allowed": round(allowed, 1), "found": found}, output)


if __name__ == "__main__":
    main()
