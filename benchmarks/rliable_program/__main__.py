"""Reads scores from stdin, a list a name as JSON, and prints interquartile means with their 95% intervals."""

import json
import sys

import numpy as np
from rliable import library, metrics

BOOTSTRAP_SAMPLES = 50_000


def interquartile_mean(scores: np.ndarray) -> np.ndarray:
    """Return the interquartile mean of scores ``(seeds, 1)``, as ``(1,)``."""
    return np.array([metrics.aggregate_iqm(scores)])


def main() -> None:
    """Answer what stdin asks."""
    scores = {name: np.array(values).reshape(-1, 1) for name, values in json.load(sys.stdin).items()}
    means, intervals = library.get_interval_estimates(
        scores, interquartile_mean, reps=BOOTSTRAP_SAMPLES, random_state=np.random.RandomState(0)
    )
    print(json.dumps({name: [float(means[name][0]), *map(float, intervals[name][:, 0])] for name in scores}))


if __name__ == "__main__":
    main()
