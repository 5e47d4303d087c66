"""train.py on a cluster of two machines, each a core of this one.

The first core has the head of Ray and the parameter server, too.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from tempfile import TemporaryDirectory

import psutil

from breakout_a3c.cluster.ray_cluster import OBJECT_STORE_BYTES
from breakout_a3c.commands import train
from breakout_a3c.launch import launch
from breakout_a3c.processes.resources import folder_for_sockets

GROUPS = 2


@contextmanager
def only_on(core: int) -> Iterator[None]:
    """Let what is started in the block run on one core alone."""
    process = psutil.Process()
    before = process.cpu_affinity()
    process.cpu_affinity([core])
    try:
        yield
    finally:
        process.cpu_affinity(before)


def main() -> int:
    """Train there; ``--threads`` is the number of actor-learners on each."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster

    with TemporaryDirectory(prefix="ray-", dir=folder_for_sockets(), ignore_cleanup_errors=True) as folder:
        os.environ["RAY_TMPDIR"] = folder
        machine = {
            "num_cpus": 1,
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
        cluster = Cluster()
        try:
            for core in psutil.Process().cpu_affinity()[:GROUPS]:
                with only_on(core):
                    cluster.add_node(**machine)
            sys.argv += ["--cluster", cluster.address]
            return train.main()
        finally:
            cluster.shutdown()


if __name__ == "__main__":
    launch("benchmarks.variants.two_groups")
