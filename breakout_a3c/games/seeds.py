"""Seeds of games: even ones for training, odd ones for evaluation."""

import numpy as np


def training_seeds(sequence: np.random.SeedSequence, count: int) -> list[int]:
    """Draw even seeds: evaluation has the odd ones."""
    words = sequence.generate_state(count) >> 1  # 31 bits, which every generator takes
    return [int(word) & ~1 for word in words]
