"""train.py without turns: all actor-learners run at the same time, whatever the number of cores."""

from breakout_a3c.commands import train
from breakout_a3c.launch import launch
from breakout_a3c.processes import turns

MANY_CORES = 1_000_000


def main() -> None:
    """Train where each actor-learner believes that it has a core of its own."""
    turns.usable_cores = lambda *_: MANY_CORES
    train.main()


if __name__ == "__main__":
    launch("benchmarks.variants.without_turns")
