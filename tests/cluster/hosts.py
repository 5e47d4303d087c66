"""Several hosts on one machine: network namespaces on a bridge; a link that is down is a partition."""

import fcntl
import os
import random
import select
import shutil
import signal
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.saving.watched_run import Watcher
from tests.running import Program, run, signal_process, wait_for

ROOT = Path(__file__).parents[2]
TRAIN = [sys.executable, ROOT / "train.py", "--preset", "cartpole", "--threads", "2", "--eval-minutes", "0"]
GROUP, SERVER = "GroupProcess", "ParameterServer"
BIN = Path(sys.executable).parent
PORT = 6379
OBJECT_STORE_BYTES = 100 * 2**20
# As docs/cluster.md has it: who does not know the token is refused.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid4().hex}
# A machine that is cut off for 20 s is still one of the cluster's afterwards.
PATIENT = {
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "20000",
    "RAY_health_check_failure_threshold": "10",
}
needs_hosts = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root, and ip of iproute2, for network namespaces"
)


def ip(*arguments: str) -> None:
    run(["ip", *arguments], check=True, capture_output=True)


class Hosts:
    """Network namespaces that reach each other, and nothing else.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        tag = uuid4().hex[:6]
        self._bridge = f"b{tag}"
        self._network = f"10.{int(tag[:2], 16)}.{int(tag[2:4], 16)}"
        self._names = [f"h{tag}{number}" for number in range(count)]

    def __enter__(self) -> "Hosts":
        ip("link", "add", self._bridge, "type", "bridge")
        ip("link", "set", self._bridge, "up")
        for number, name in enumerate(self._names):
            ip("netns", "add", name)
            ip("link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"v{name}", "master", self._bridge, "up")
            ip("-n", name, "addr", "add", f"{self.address(number)}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *error: object) -> None:
        for name in self._names:
            with suppress(AssertionError):
                ip("netns", "del", name)
        with suppress(AssertionError):
            ip("link", "del", self._bridge)

    @property
    def bridge(self) -> str:
        """The name of the bridge to which all hosts are linked."""
        return self._bridge

    def name(self, number: int) -> str:
        """Return the name of a host's namespace."""
        return self._names[number]

    def address(self, number: int) -> str:
        """Return the address of a host."""
        return f"{self._network}.{number + 1}"

    def command(self, number: int, command: Sequence[str | Path]) -> list[str | Path]:
        """Return what runs a command on a host."""
        return ["ip", "netns", "exec", self._names[number], *command]

    @contextmanager
    def cut_off(self, number: int) -> Iterator[None]:
        """Cut a host off for the block."""
        ip("link", "set", f"v{self._names[number]}", "down")
        try:
            yield
        finally:
            ip("link", "set", f"v{self._names[number]}", "up")

    def start_ray(
        self, number: int, folder: Path, cores: int = 1, other_files: Mapping[Path, Path] | None = None
    ) -> Program:
        """Start Ray on a host: the cluster's head on the first.

        Args:
            number: Of the host.
            folder: For its log.
            cores: That it tells Ray of.
            other_files: What it sees in place of files or folders of this machine.
        """
        role = ["--head", f"--port={PORT}", "--include-dashboard=false"] if number == 0 else [f"--address={self.head}"]
        command = [
            BIN / "ray", "start", "--block", *role, f"--node-ip-address={self.address(number)}", f"--num-cpus={cores}",
            f"--object-store-memory={OBJECT_STORE_BYTES}", "--disable-usage-stats",
        ]  # fmt: skip
        binds = [f"mount --bind {new} {old} && " for old, new in (other_files or {}).items()]  # for this host alone
        command = ["sh", "-c", f'{"".join(binds)}exec "$@"', "sh", *command]
        with (folder / f"ray-{number}.log").open("w") as log:
            return Program(self.command(number, command), env=os.environ | PATIENT | TOKEN, stdout=log, stderr=log)

    @property
    def head(self) -> str:
        """The address of the cluster."""
        return f"{self.address(0)}:{PORT}"


class SlowWire:
    """A host's way to the bridge with a delay and a loss of packets, which not every kernel has in itself.

    Args:
        hosts: Of which one gets it in place of its own link.
        number: Of that host.
        delay_seconds: Of each packet, each way.
        loss: Part of the packets that are lost.
    """

    def __init__(self, hosts: Hosts, number: int, delay_seconds: float, loss: float) -> None:
        self._delay, self._loss = delay_seconds, loss
        self._random = random.Random(1)
        name = hosts.name(number)
        near, far = f"n{name}", f"f{name}"
        self._taps = [open_tap(near), open_tap(far)]
        ip("link", "set", f"v{name}", "down")
        ip("-n", name, "link", "set", "eth0", "down")
        ip("-n", name, "addr", "flush", "dev", "eth0")
        ip("link", "set", near, "netns", name)
        ip("-n", name, "addr", "add", f"{hosts.address(number)}/24", "dev", near)
        ip("-n", name, "link", "set", near, "up")
        ip("link", "set", far, "master", hosts.bridge, "up")
        for one, other in (self._taps, self._taps[::-1]):
            threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, source: int, target: int) -> None:
        """Carry packets one way, until the host is gone."""
        under_way: deque[tuple[float, bytes]] = deque()
        with suppress(OSError):
            while True:
                wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else 1.0
                if select.select([source], [], [], wait)[0]:
                    packet = os.read(source, 65_536)
                    if self._random.random() >= self._loss:
                        under_way.append((time.monotonic() + self._delay, packet))
                while under_way and under_way[0][0] <= time.monotonic():
                    os.write(target, under_way.popleft()[1])


def open_tap(name: str) -> int:
    """Make a network device whose packets this process reads and writes; return its descriptor."""
    tap, no_header, set_interface = 0x0002, 0x1000, 0x400454CA  # linux/if_tun.h
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, set_interface, struct.pack("16sH22x", name.encode(), tap | no_header))
    return device


class Cluster:
    """Ray on several hosts.

    Args:
        hosts: On which it runs, the head on the first.
        folder: For logs.
        count: How many of the hosts belong to it from the start on.
    """

    def __init__(self, hosts: Hosts, folder: Path, count: int) -> None:
        self.hosts = hosts
        self._folder = folder
        self.programs: dict[int, Program] = {}  # Ray's, by host
        for number in range(count):
            self.join(number)

    def join(self, number: int, other_files: Mapping[Path, Path] | None = None) -> None:
        """Start Ray on a host, and wait until it is there; see ``Hosts.start_ray``."""
        self.programs[number] = self.hosts.start_ray(number, self._folder, other_files=other_files)
        log = self._folder / f"ray-{number}.log"
        wait_for(lambda: "Ray runtime started" in log.read_text())

    def leave(self, number: int) -> None:
        """Kill all that runs on a host at once, as a loss of power does."""
        self.programs.pop(number).end()

    def running(self, name: str, number: int | None = None) -> list[psutil.Process]:
        """Return the processes of Ray's actors of a class, on one host or on all."""
        programs = self.programs.values() if number is None else [self.programs[number]]
        return [
            each for program in programs for each in program.processes() if title_of(each).startswith(f"ray::{name}")
        ]

    def learners(self, number: int) -> list[psutil.Process]:
        """Return the actor-learners on a host: what the group's process started and what computes."""
        return [child for group in self.running(GROUP, number) for child in group.children(recursive=True)]


class ClusterTraining:
    """A training of CartPole that is driven from the first host.

    Args:
        cluster: On which it runs.
        folder: For its files.
        options: More of its command.
    """

    def __init__(self, cluster: Cluster, folder: Path, *options: str) -> None:
        self.cluster = cluster
        self.folder = folder / "checkpoints" / "run"
        self._log = folder / "log"
        hosts = cluster.hosts
        command = hosts.command(0, [*TRAIN, "--cluster", hosts.head, "--run", self.folder.name, *options])
        with self._log.open("w") as log:
            self.program = Program(command, cwd=folder, env=os.environ | TOKEN, stdout=log, stderr=log)

    def log(self) -> str:
        """Return what it has printed."""
        return self._log.read_text()

    def wait_for_groups(self, *numbers: int) -> None:
        """Wait until the groups of these hosts have started their actor-learners."""
        wait_for(lambda: all(self.cluster.learners(number) for number in numbers))

    def steps(self) -> int:
        """Return the agent steps that the driver knows of."""
        wait_for(self.folder.exists)
        try:
            return Watcher(self.folder).ask().checkpoint.steps
        except UserError:
            return 0  # nothing was learned yet

    def learns_on(self, seconds: float) -> bool:
        """Return whether more is learned within so many seconds."""
        before, deadline = self.steps(), time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.steps() > before:
                return True
        return False

    def end(self, number: signal.Signals = signal.SIGINT) -> str:
        """End it by a signal; return what it printed."""
        signal_process(self.driver(), number)
        assert self.program.wait(40) == 128 + number, self.log()
        return self.log()

    def driver(self) -> psutil.Process:
        """Return the process of train.py."""
        return next(each for each in self.program.processes() if "train.py" in title_of(each))


def title_of(process: psutil.Process) -> str:
    """Return a process's command, empty for one that is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
