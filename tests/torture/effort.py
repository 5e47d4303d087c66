"""How hard the promises are tried: a little in ``make test``, for MINUTES in ``make torture``, from one SEED."""

import os

SEED = int(os.environ.get("TORTURE_SEED", "1"))
MINUTES = float(os.environ.get("TORTURE_MINUTES", "0"))  # 0 in make test
FULL_MINUTES = 10.0  # what all rounds take on two cores


def rounds(quick: int, full: int) -> int:
    """Return how often to try: ``quick`` in ``make test``, ``full`` in ten minutes of ``make torture``."""
    return max(quick, round(full * MINUTES / FULL_MINUTES))
