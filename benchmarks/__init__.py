"""Measurements, in folders by the question that they answer; nothing of the program imports them.

Run each from the repository's root: ``python -m benchmarks.speed.throughput --help``.
"""

import os

# As the programs have it: an actor-learner is one process with one thread. OpenMP must know before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
