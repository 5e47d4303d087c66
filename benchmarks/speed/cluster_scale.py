"""To how many machines a cluster scales: what an exchange takes here, and a simulation of many machines with it.

It measures how soon one parameter server answers, without a training beside it, for the default network's parameters
and for parts of them. Then it simulates machines that each exchange every so many seconds with servers that hold a part
of the parameters each: a server serves one exchange after another; its network carries one message each way at a time.
"""

import heapq
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, from_root
from benchmarks.common.processes import title_of
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from breakout_a3c.cluster.exchange import Counts, Difference, GlobalState, Vector
from breakout_a3c.cluster.options import LOCAL
from breakout_a3c.cluster.parameter_server import GroupNews, ParameterServer
from breakout_a3c.cluster.ray_cluster import connect
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.training.plan import TrainingPlan, initial_parameters

OUTPUT = RESULTS / "cluster" / "scale.json"
MACHINE_STEPS_PER_SECOND = 25_000  # of 16 cores (docs/notes/run-on-sixteen-cores.md)
NETWORK_BYTES_PER_SECOND = 10e9 / 8
NETWORK_DELAY_SECONDS = 0.0002  # one way
FLOAT_BYTES = 4
MACHINES = (1, 2, 4, 8, 16, 32, 63, 128)
SECONDS = (0.25, 1.0, 2.0)
SERVERS = (1, 4)
SIMULATED_SECONDS = 60.0
IN_FLIGHT = 4  # exchanges that wait at a server while its speed is measured
MEASURED_EXCHANGES = 200


@dataclass(frozen=True, slots=True)
class Service:
    """What an exchange takes."""

    bytes_each_way: float
    server_seconds: float  # that the server computes: on a machine of its own it is held up by nothing else


@dataclass(frozen=True, slots=True)
class Scale:
    """What a cluster of so many machines does."""

    machines: int
    sync_seconds: float
    servers: int
    exchanges_per_second: float
    exchange_milliseconds: float  # median
    server_use: float  # of its time
    network_use: float  # of its time, each way
    late_steps: float  # of others, that a machine's parameters lack, in the mean


def measure(floats: int) -> dict[str, float]:
    """Return milliseconds of an exchange by itself and one after another, and of the server's CPU.

    Args:
        floats: Of the parameters that the server holds.
    """
    import ray

    state = GlobalState(np.zeros(floats, np.float32))
    server: Any = ray.remote(ParameterServer).remote()
    ray.get(server.begin.remote(state))
    process = next(
        each for each in psutil.Process().children(recursive=True) if title_of(each).startswith("ray::ParameterServer")
    )
    vector = np.full(floats, 1e-9, np.float32)
    news = GroupNews("group", [], Counts(), 0.0, 8, 0, "", 0.0)

    def exchange(number: int) -> Any:
        return server.exchange.remote(Difference("group", number, vector, Counts(1, 1, 0)), news)

    alone = []
    for number in range(MEASURED_EXCHANGES):
        began = time.monotonic()
        ray.get(exchange(number + 1))
        alone.append(time.monotonic() - began)
    ray.get(server.collect.remote(False))
    cpu, began = sum(process.cpu_times()[:2]), time.monotonic()
    waiting = [exchange(MEASURED_EXCHANGES + number + 1) for number in range(IN_FLIGHT)]
    for number in range(IN_FLIGHT, MEASURED_EXCHANGES):
        ray.get(waiting.pop(0))
        waiting.append(exchange(MEASURED_EXCHANGES + number + 1))
    ray.get(waiting)
    seconds = time.monotonic() - began
    ray.kill(server)
    return {
        "floats": floats,
        "alone_milliseconds": round(1000 * statistics.median(alone), 2),
        "server_milliseconds": round(1000 * seconds / MEASURED_EXCHANGES, 2),
        "server_cpu_milliseconds": round(1000 * (sum(process.cpu_times()[:2]) - cpu) / MEASURED_EXCHANGES, 2),
    }


def simulate(machines: int, sync_seconds: float, servers: int, service: Service) -> Scale:
    """Let so many machines exchange for a minute.

    Args:
        machines: That train.
        sync_seconds: From the beginning of an exchange to that of the next, at least.
        servers: Each has as large a part of the parameters; an exchange ends with the last of its answers.
        service: What an exchange with one of them takes.
    """
    on_the_wire = service.bytes_each_way / NETWORK_BYTES_PER_SECOND
    # A machine sends to all servers at once, and all do the same: one stands for all.
    network_in = computing = network_out = 0.0  # when each is free again
    begins = sorted((float(begin), machine) for machine, begin in enumerate(uniform(machines, sync_seconds)))  # a heap
    lasted, late = list[float](), list[float]()  # in seconds of one machine's work
    sent = np.zeros(machines)  # until when the server has what each did
    answered = np.zeros(machines)  # when each had its last answer
    missing_since = np.zeros(machines)  # the mean of ``sent`` over the others in that answer
    while begins[0][0] < SIMULATED_SECONDS:
        began, machine = heapq.heappop(begins)
        network_in = max(network_in, began) + on_the_wire
        computing = max(computing, network_in + NETWORK_DELAY_SECONDS) + service.server_seconds
        network_out = max(network_out, computing) + on_the_wire
        ended = network_out + NETWORK_DELAY_SECONDS
        lasted.append(ended - began)
        late.append((answered[machine] + ended) / 2 - missing_since[machine])
        sent[machine], answered[machine] = began, ended
        missing_since[machine] = (sent.sum() - began) / max(1, machines - 1)
        heapq.heappush(begins, (max(began + sync_seconds, ended), machine))
    half = len(lasted) // 2  # until then it may not have settled
    late_steps = (machines - 1) * MACHINE_STEPS_PER_SECOND * statistics.mean(late[half:])
    return Scale(
        machines=machines,
        sync_seconds=sync_seconds,
        servers=servers,
        exchanges_per_second=round(len(lasted) / SIMULATED_SECONDS, 1),
        exchange_milliseconds=round(1000 * statistics.median(lasted[half:]), 1),
        server_use=round(min(1.0, len(lasted) * service.server_seconds / SIMULATED_SECONDS), 3),
        network_use=round(len(lasted) * on_the_wire / SIMULATED_SECONDS, 3),
        late_steps=round(late_steps),
    )


def uniform(count: int, high: float) -> Vector:
    """Return so many numbers from 0 to ``high``, the same each time."""
    return np.random.default_rng(1).uniform(0, high, count).astype(np.float32)


def table(scales: Sequence[Scale]) -> str:
    """Return what was simulated, as Markdown."""
    lines = [
        "| servers | seconds between exchanges | machines | exchanges/s | ms an exchange | server busy | network busy "
        "| steps late |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.servers} | {each.sync_seconds:g} | {each.machines} | {each.exchanges_per_second:g} "
        f"| {each.exchange_milliseconds:g} | {each.server_use:.0%} | {each.network_use:.0%} | {each.late_steps:,} |"
        for each in scales
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, simulate, print the table, save the result."""
    parser = make_parser(__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    parameters = initial_parameters(TrainingPlan(BREAKOUT, "", Path(), Path())).parameters.numel()
    cluster = connect(LOCAL, BREAKOUT.game.name)
    measured = {servers: measure(parameters // servers) for servers in SERVERS}
    cluster.close()
    scales = []
    for servers, found in measured.items():
        service = Service(FLOAT_BYTES * found["floats"], found["server_cpu_milliseconds"] / 1000)
        scales += [simulate(each, seconds, servers, service) for seconds in SECONDS for each in MACHINES]
    result: dict[str, Any] = {
        "command": command_line(),
        "machine": describe_machine(),
        "network": BREAKOUT.network.name,
        "measured": list(measured.values()),
        "simulated": [asdict(scale) for scale in scales],
    }
    write_result(result, options.output)
    print(table(scales))


if __name__ == "__main__":
    main()
