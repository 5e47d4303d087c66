"""Interquartile means over seeds, with their bootstrap intervals (Agarwal et al. 2021), by rliable."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.common.paths import ROOT
from benchmarks.common.venvs import make_python

VENV = ROOT / "benchmarks" / ".venv-rliable"
# rliable asks for arch, which does not load with pandas 3.
NEEDS = ["rliable==1.2.0", "pandas<3"]
MINIMUM = 2  # values that a bootstrap takes


class Interval(NamedTuple):
    """An interquartile mean and its 95% interval."""

    mean: float
    low: float
    high: float

    def text(self, digits: int = 1) -> str:
        """Return it as the tables show it."""
        return f"{self.mean:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def interquartile_means(values: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    """Return an interval for each name, by 50,000 bootstrap samples of its seeds.

    Args:
        values: One a seed; two or more.
    """
    python = make_python(VENV, NEEDS)
    program = [str(python), "-m", "benchmarks.rliable_program"]
    answer = subprocess.run(
        program, cwd=ROOT, input=json.dumps(dict(values)), stdout=subprocess.PIPE, text=True, check=True
    )
    return {name: Interval(*numbers) for name, numbers in json.loads(answer.stdout).items()}
