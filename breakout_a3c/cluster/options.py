"""How a training is spread over machines, as the command line says it."""

from dataclasses import dataclass

LOCAL = "local"
SYNC_SECONDS = 0.25
MAX_SYNC_SECONDS = 2.0  # a group hears by an exchange that it is to stop


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """How a cluster is used."""

    machines: int | None = None  # at most; None: all
    sync_seconds: float = SYNC_SECONDS  # between two exchanges of a group
