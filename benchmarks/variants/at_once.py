"""train.py with so many actor-learners at a time, whatever the number of cores.

On two cores it shows what a machine with more of them does to learning: a gradient is late by the updates of all others
that run at the same time. Called with their number before the options of train.py.
"""

import sys

from breakout_a3c.commands import train
from breakout_a3c.launch import launch
from breakout_a3c.processes import turns


def main() -> int:
    """Train as if there were so many cores."""
    cores = int(sys.argv.pop(1))
    turns.usable_cores = lambda *_: cores
    return train.main()


if __name__ == "__main__":
    launch("benchmarks.variants.at_once")
