"""Several hosts on one machine: network namespaces on a bridge; a link that is down is a partition."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests.running import Program, wait_for

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
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


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
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", name)
        with suppress(subprocess.CalledProcessError):
            ip("link", "del", self._bridge)

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

    def start_ray(self, number: int, folder: Path, cores: int = 1) -> Program:
        """Start Ray on a host: the cluster's head on the first."""
        role = ["--head", f"--port={PORT}", "--include-dashboard=false"] if number == 0 else [f"--address={self.head}"]
        command = [
            BIN / "ray", "start", "--block", *role, f"--node-ip-address={self.address(number)}", f"--num-cpus={cores}",
            f"--object-store-memory={OBJECT_STORE_BYTES}", "--disable-usage-stats",
        ]  # fmt: skip
        with (folder / f"ray-{number}.log").open("w") as log:
            return Program(self.command(number, command), env=os.environ | PATIENT | TOKEN, stdout=log, stderr=log)

    @property
    def head(self) -> str:
        """The address of the cluster."""
        return f"{self.address(0)}:{PORT}"


def wait_for_text(path: Path, text: str, seconds: float = 60.0) -> None:
    """Wait until a file contains a text."""
    wait_for(lambda: text in path.read_text(), seconds)
