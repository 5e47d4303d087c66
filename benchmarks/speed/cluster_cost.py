"""What a cluster costs: the default training on one machine, plain and by ``--cluster local``.

Side by side in one run, in turn, in short slices; see common/contenders.py. On one machine an exchange brings nothing:
the parameter server, Ray and the driver take part of its cores.
"""

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common.contenders import Contender, run_rounds, started, training
from benchmarks.common.emulators import emulators, run_bare_emulator
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, from_root
from benchmarks.common.processes import benchmark_context, title_of
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from breakout_a3c.cluster.machines import ClusterSupervisor
from breakout_a3c.cluster.options import LOCAL, ClusterOptions
from breakout_a3c.cluster.ray_cluster import connect
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.processes.start import Context
from breakout_a3c.training.plan import TrainingPlan, initial_parameters

OUTPUT = RESULTS / "cluster" / "cost.json"
FLOAT_BYTES = 4
SERVER, GROUP, IDLE = "ray::ParameterServer", "ray::GroupProcess", "ray::IDLE"
# Stopped between its slices, Ray is not to take itself for dead.
PATIENT = {
    "RAY_health_check_timeout_ms": "100000",
    "RAY_health_check_failure_threshold": "100",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
}


class ClusterOfOne:
    """A training by Ray on this machine.

    Args:
        context: Of the driver.
        sync_seconds: Between two exchanges.

    Attributes:
        exchange_seconds: What each exchange took.
        cpu_seconds: What each part has computed from ``begin`` to ``close``.
    """

    def __init__(self, context: Context, sync_seconds: float) -> None:
        before = set(psutil.Process().children(recursive=True))
        backend = connect(LOCAL, BREAKOUT.game.name)
        backend.require_compatible()
        shared = initial_parameters(TrainingPlan(BREAKOUT, "cluster", Path(), Path()))
        options = ClusterOptions(sync_seconds=sync_seconds)
        self._supervisor = ClusterSupervisor(backend, options, context, BREAKOUT, shared, {})
        self._supervisor.start()
        self.exchange_seconds: list[float] = []
        while shared.total_steps() < 2000:
            self.attend()
            time.sleep(0.1)
        self._parts = {
            process: part_of(process)
            for process in psutil.Process().children(recursive=True)
            if process not in before and not title_of(process).startswith(IDLE)
        }
        self.cpu_seconds: dict[str, float] = {}
        self._shared = shared

    def contender(self, name: str) -> Contender:
        """Return it as a contender."""
        return Contender(name, list(self._parts), self._shared.total_steps, self.attend, self.close)

    def attend(self) -> None:
        """Be the driver, and note how long the last exchange took."""
        self._supervisor.poll(0)
        self.exchange_seconds += [each.exchange_seconds for each in self._supervisor.machines()]

    def begin(self) -> None:
        """Begin to count."""
        self.exchange_seconds.clear()
        self._before = self._cpu_seconds()

    def close(self) -> None:
        """Note what it has computed, and end it."""
        after = self._cpu_seconds()
        self.cpu_seconds = {part: after[part] - self._before[part] for part in after}
        self._supervisor.close()

    def _cpu_seconds(self) -> dict[str, float]:
        found = dict.fromkeys(self._parts.values(), 0.0)
        for process, part in self._parts.items():
            found[part] += sum(process.cpu_times()[:2])
        return found


def part_of(process: psutil.Process) -> str:
    """Return which part of a cluster a process is."""
    if title_of(process).startswith(SERVER):
        return "parameter server"
    if title_of(process).startswith(GROUP):
        return "group"
    return "actor-learners" if any(title_of(each).startswith(GROUP) for each in process.parents()) else "Ray"


def measure(sync_seconds: float, rounds: int, slice_seconds: float) -> dict[str, Any]:
    """Return what a cluster costs whose group exchanges so often."""
    os.environ |= PATIENT
    context = benchmark_context()
    bare = emulators(context, "bare emulator", run_bare_emulator)
    plain = training(context, "plain", BREAKOUT, None)
    cluster = ClusterOfOne(context, sync_seconds)
    one = started(cluster.contender(f"a cluster of one, every {sync_seconds:g} s"))
    cluster.begin()
    run_rounds([bare, plain, one], rounds, slice_seconds)
    return {
        "sync_seconds": sync_seconds,
        "exchange_milliseconds": round(1000 * statistics.median(cluster.exchange_seconds), 1),
        "share_of_cpu": {part: share(cluster.cpu_seconds, part) for part in cluster.cpu_seconds},
        "cluster": one.summary(plain),
        "plain": plain.summary(bare),
        "bare": bare.summary(bare),
    }


def share(cpu_seconds: dict[str, float], part: str) -> float:
    """Return the share of one part in what all have computed."""
    return round(cpu_seconds[part] / sum(cpu_seconds.values()), 4)


def main() -> None:
    """Run the rounds, print the table, save the result."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slice-seconds", type=float, default=8.0)
    parser.add_argument("--sync-seconds", type=float, nargs="+", default=[0.25, 1.0])
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    measured = partial(measure, rounds=options.rounds, slice_seconds=options.slice_seconds)
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:  # Ray starts once in a process
        rows = list(pool.map(measured, options.sync_seconds))
    parameters = initial_parameters(TrainingPlan(BREAKOUT, "", Path(), Path())).parameters.numel()
    result: dict[str, Any] = {
        "command": command_line(),
        "machine": describe_machine(),
        "network": BREAKOUT.network.name,
        "bytes_each_way": FLOAT_BYTES * parameters,
        "rows": rows,
    }
    write_result(result, options.output)
    print("\n| seconds between exchanges | steps/s | plain | share | ms an exchange |\n|---|---|---|---|---|")
    for row in rows:
        one, plain = row["cluster"], row["plain"]
        print(
            f"| {row['sync_seconds']:g} | {one['steps_per_second']:,} | {plain['steps_per_second']:,} "
            f"| {one['share_of_reference']:.1%} | {row['exchange_milliseconds']} |"
        )


if __name__ == "__main__":
    main()
