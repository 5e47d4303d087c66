"""What a process may use: by affinity, by files of cgroups, by limits of its shell, by the folders there are."""

import os
import re
import resource
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.processes import resources
from breakout_a3c.processes.resources import (
    allow_open_files,
    cgroup_folders,
    children_that_fit,
    folder_for_sockets,
    free_memory,
    free_shared_memory,
    oom_kills,
    require_shared_memory,
    usable_cores,
    usable_cpus,
    usable_memory,
    usable_processes,
)
from tests.running import run

REPOSITORY = Path(__file__).parents[2]
V2 = "0::/pod/container\n"
V1 = "4:memory:/pod/container\n2:cpu,cpuacct:/pod/container\n3:pids:/pod/container\n1:name=systemd:/\n0::/\n"
MB = 2**20
CPU_GROUP = Path("/sys/fs/cgroup/cpu")


@pytest.fixture(autouse=True)
def large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have 8 cores and much memory, so that the files of the cgroups decide."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr("psutil.swap_memory", lambda: type("", (), {"total": 0, "free": 0}))
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("", (), {"total": 10**12, "available": 10**12}))


def make(root: Path, membership: str, files: dict[str, str]) -> Path:
    """Write what the kernel tells: ``/proc/self/cgroup``, and files of cgroups by their paths."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


@pytest.mark.parametrize(
    ("membership", "files", "cpus"),
    [
        (V2, {"pod/container/cpu.max": "max 100000"}, 8),
        (V2, {"pod/container/cpu.max": "150000 100000"}, 1.5),
        (V2, {"pod/container/cpu.max": "max 100000", "pod/cpu.max": "200000 100000"}, 2),
        (V2, {"pod/container/cpu.max": "400000 100000", "pod/cpu.max": "50000 100000"}, 0.5),
        ("0::/\n", {"cpu.max": "300000 100000"}, 3),
        ("0::/../other\n", {"cpu.max": "300000 100000"}, 3),
        (V1, {"cpu/pod/cpu.cfs_quota_us": "-1", "cpu/pod/cpu.cfs_period_us": "100000"}, 8),
        (V1, {"cpu/pod/cpu.cfs_quota_us": "250000", "cpu/pod/cpu.cfs_period_us": "100000"}, 2.5),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "20000", "cpu,cpuacct/cpu.cfs_period_us": "10000"}, 2),
        (V2, {"pod/container/cpu.max": "no number"}, 8),
        ("", {}, 8),
    ],
)
def test_the_smallest_quota_of_all_groups_decides(
    membership: str, files: dict[str, str], cpus: float, tmp_path: Path
) -> None:
    assert usable_cpus(make(tmp_path, membership, files)) == cpus


@pytest.mark.parametrize(("quota", "cores"), [(20_000, 1), (100_000, 1), (150_000, 2), (10**6, 8)])
def test_a_part_of_a_core_counts_as_one(quota: int, cores: int, tmp_path: Path) -> None:
    assert usable_cores(make(tmp_path, V2, {"pod/container/cpu.max": f"{quota} 100000"})) == cores


def test_a_system_without_such_files_has_the_cores_that_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert usable_cores(tmp_path) == 10
    assert list(cgroup_folders(tmp_path, "cpu")) == []
    assert free_shared_memory() is None
    assert oom_kills(tmp_path) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no affinity")
def test_affinity_decides() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from breakout_a3c.processes.resources import usable_cores\n"
        "from breakout_a3c.processes.turns import Turns\n"
        "from breakout_a3c.learning.rollout import game_threads\n"
        "from breakout_a3c.presets import BREAKOUT\n"
        "print(usable_cores(), Turns(8)._cores, game_threads(BREAKOUT.replace(algorithm='a2c')))"
    )
    done = run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1", "1"]


@pytest.mark.skipif(not os.access(CPU_GROUP, os.W_OK), reason="takes root, and cgroups of version 1")
def test_a_quota_of_the_kernel_decides(tmp_path: Path) -> None:
    code = "from breakout_a3c.processes.resources import usable_cpus; print(usable_cpus())"
    group = CPU_GROUP / f"test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_quota_us").write_text("70000")
        shell = f"echo $$ > {group}/cgroup.procs && exec {sys.executable} -c '{code}'"
        done = run(["sh", "-c", shell], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    finally:
        group.rmdir()
    assert done.stdout == "0.7\n"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        (V2, {"pod/container/memory.max": "max", "pod/memory.max": str(512 * MB)}, 512 * MB),
        (V1, {"memory/pod/container/memory.limit_in_bytes": str(256 * MB)}, 256 * MB),
        (V1, {"memory/memory.limit_in_bytes": str(2**63 - 4096)}, 10**12),
    ],
)
def test_the_smallest_limit_of_memory_decides(
    membership: str, files: dict[str, str], expected: int, tmp_path: Path
) -> None:
    root = make(tmp_path, membership, files)
    assert usable_memory(root) == free_memory(root) == expected


def test_memory_that_is_in_use_now_may_be_had_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("", (), {"total": 8000 * MB, "available": 500 * MB}))
    monkeypatch.setattr("psutil.swap_memory", lambda: type("", (), {"total": 1000 * MB, "free": 10 * MB}))
    assert usable_memory(tmp_path) == 9000 * MB
    assert free_memory(tmp_path) == 510 * MB


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that has /proc")
def test_a_container_that_hides_the_swaps_figures_gets_no_warning() -> None:
    """psutil warns where it cannot read /proc/vmstat, as in LXC."""
    code = (
        "import psutil\n"
        "from psutil import _pslinux as linux\n"
        "shown = linux.open_binary\n"
        "def hide(name):\n"
        "    if name.endswith('vmstat'): raise FileNotFoundError(2, 'hidden', name)\n"
        "    return shown(name)\n"
        "linux.open_binary = hide\n"
        "from breakout_a3c.processes.resources import free_memory, usable_memory\n"
        "assert free_memory() <= usable_memory()"
    )
    done = run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_smallest_number_of_processes_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = make(tmp_path, V2, {"pod/pids.max": "100"})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (30, 30))
    assert usable_processes(root) == 100, "the shell's limit is not for root"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert usable_processes(root) == 30


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        (V2, {"pod/container/memory.events": "low 0\noom 5\noom_kill 3", "memory.events": "oom_kill 9"}),
        (V1, {"memory/pod/container/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3"}),
    ],
)
def test_kills_for_want_of_memory_are_counted(membership: str, files: dict[str, str], tmp_path: Path) -> None:
    assert oom_kills(make(tmp_path, membership, files)) == 3


@pytest.mark.parametrize(("hard", "allowed"), [(100, 100), (4000, resources.MOST_OPEN_FILES)])
def test_the_limit_of_open_files_is_raised(hard: int, allowed: int) -> None:
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))\n"
        "from breakout_a3c.processes.resources import allow_open_files\n"
        "print(allow_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(allowed), str(allowed), str(hard)]


@pytest.mark.parametrize(
    ("files", "processes", "children"), [(31, None, 1), (128, None, 33), (128, 20, 8), (10, None, 0), (128, 3, 0)]
)
def test_children_fit_by_files_and_processes(
    files: int, processes: int | None, children: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "allow_open_files", lambda: files)
    monkeypatch.setattr(resources, "usable_processes", lambda: processes)
    assert children_that_fit() == children


def test_a_limit_that_is_high_enough_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for limits in ((5_000, 8_000), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)):
        monkeypatch.setattr(resources, "limits_of_open_files", lambda limits=limits: limits)
        assert allow_open_files() >= 5_000


def test_too_little_shared_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "free_shared_memory", lambda: 2 * MB)
    require_shared_memory(2 * MB)
    words = r"has 2.0 MB free, and 4.0 MB of shared memory are needed: enlarge it \(docker run --shm-size"
    with pytest.raises(UserError, match=words):
        require_shared_memory(4 * MB)


def test_a_folder_for_shared_memory_that_is_missing_has_none_free(tmp_path: Path) -> None:
    assert free_shared_memory(tmp_path / "missing") == 0
    assert free_shared_memory(tmp_path) > 0  # type: ignore[operator]


def test_sockets_go_where_they_can_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 96)
    long.mkdir()
    monkeypatch.setattr(resources, "OTHER_FOLDERS", ("", str(tmp_path / "missing"), "/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")
    assert folder_for_sockets() == "/var/tmp"
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert folder_for_sockets() == "/tmp"
    assert not list(long.iterdir()), "nothing is left of the attempt"


def test_a_file_system_that_refuses_sockets_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Refusing(socket.socket):
        def bind(self, address: object) -> None:
            if str(address).startswith("/tmp/"):
                raise PermissionError("as of a network's file system")
            super().bind(address)  # type: ignore[arg-type]

    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    monkeypatch.setattr(resources, "OTHER_FOLDERS", ("/tmp", "/var/tmp"))
    monkeypatch.setattr(socket, "socket", Refusing)
    assert folder_for_sockets() == "/var/tmp"


def test_without_any_folder_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_folder() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", no_folder)
    monkeypatch.setattr(resources, "OTHER_FOLDERS", ("/nowhere",))
    with pytest.raises(UserError, match="set TMPDIR"):
        folder_for_sockets()


def test_nothing_else_counts_the_cores() -> None:
    """What the machine has is not what a process may use."""
    sources = [path for folder in ("", "breakout_a3c/*/", "benchmarks/*/") for path in REPOSITORY.glob(f"{folder}*.py")]
    counting = [path.name for path in sources if re.search("cpu_count|sched_getaffinity", path.read_text())]
    assert counting == ["resources.py"]
