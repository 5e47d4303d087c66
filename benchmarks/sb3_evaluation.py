"""Checks this project's evaluation by another's: SB3's evaluate_policy over SB3's Atari environment.

The means of both may differ by chance, and by the differences that sb3_evaluate_policy.py lists: they agree
if the means are no further apart than twice the standard error of their difference.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result
from benchmarks.peers import SB3, make_sb3_python

HERE = Path(__file__).parent
MODEL = HERE.parent / "models" / "breakout.safetensors"


def describe(scores: list[float]) -> dict[str, Any]:
    """Return mean and standard error beside the scores."""
    return {
        "mean": round(statistics.fmean(scores), 1),
        "standard_error": round(statistics.stdev(scores) / math.sqrt(len(scores)), 1),
        "scores": scores,
    }


def main() -> None:
    """Evaluate with both, print both, and say whether they agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--venv", type=Path, default=HERE / ".venv-sb3", help="made when it is missing")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "sb3_evaluation.json")
    options = parser.parse_args()
    commands = {
        "SB3's evaluate_policy": [make_sb3_python(options.venv), HERE / "sb3_evaluate_policy.py", options.model],
        "this project": [sys.executable, HERE.parent / "play.py", options.model, "--json", "--episodes"],
    }
    found = {}
    for name, command in commands.items():
        line = [*map(str, command), str(options.episodes)]
        printed = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout
        found[name] = describe(json.loads(printed)["scores"])
        print(f"{name}: {found[name]['mean']} +- {found[name]['standard_error']}", flush=True)
    theirs, ours = found.values()
    allowed = 2 * math.hypot(theirs["standard_error"], ours["standard_error"])
    apart = abs(theirs["mean"] - ours["mean"])
    print(f"{apart:.1f} apart, {allowed:.1f} allowed: they {'agree' if apart <= allowed else 'DO NOT agree'}.")
    facts = {"command": " ".join(sys.argv), "model": options.model.name, "sb3": SB3, "machine": describe_machine()}
    write_result(facts | {"allowed": round(allowed, 1), "found": found}, options.output)


if __name__ == "__main__":
    main()
