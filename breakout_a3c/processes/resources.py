"""What this process may use: cores, memory, open files, processes, and a folder for sockets.

Batch systems and containers give a part of the machine, by affinity, by cgroups (control groups of the kernel) and by
limits of the shell. psutil and os.process_cpu_count() read no quotas. A limit is None where there is none, or where the
system does not tell it (macOS).
"""

import math
import os
import resource
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from breakout_a3c.errors import UserError

ROOT = Path("/")  # a test has another one
SHARED_MEMORY = Path("/dev/shm")
# Measured in trainings with 1 to 9 children: 15 files and 3 a child in the program that starts them (a pipe, and two
# by which multiprocessing sees its end), up to 8 more while it starts one or saves; fewer in the forkserver.
FILES_OF_PROGRAM, FILES_OF_CHILD = 28, 3
# The program (2 threads), the forkserver and the resource tracker; a child has a thread that watches its parent.
PROCESSES_OF_PROGRAM, PROCESSES_OF_CHILD = 4, 2
MOST_OPEN_FILES = 2048  # that any program needs: 512 actor-learners and an evaluator take 1,567
# Where a socket may go if the temporary folder takes none. The first is the user's own, on Linux.
OTHER_FOLDERS = (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/var/tmp", str(SHARED_MEMORY))
SOCKET_PATH = "pymp-12345678/listener-12345678"  # as multiprocessing makes them in the temporary folder


def usable_cpus(root: Path = ROOT) -> float:
    """Return how much CPU this process may use, in cores, by its affinity and by the quotas of its cgroups."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min([cores, *cpu_quotas(root)])


def usable_cores(root: Path = ROOT) -> int:
    """Return how many processes may compute at a time.

    A part of a core counts as one: a quota of 1.5 slows two processes down alike, and no update gets staler by that.
    With one process, a third of the quota would be lost.
    """
    return math.ceil(usable_cpus(root))


def cpu_quotas(root: Path) -> Iterator[float]:
    """Yield the quotas of CPU, in cores."""
    for folder in cgroup_folders(root, "cpu"):
        in_v1 = [read(folder / "cpu.cfs_quota_us"), read(folder / "cpu.cfs_period_us")]
        with suppress(ValueError):  # "max", or no such file
            quota, period = map(float, read(folder / "cpu.max").split() or in_v1)
            if quota > 0 and period > 0:  # -1: none
                yield quota / period


def usable_memory(root: Path = ROOT) -> int:
    """Return the bytes of memory that this process and its children can have at most, swap included.

    It is the machine's whole memory that counts: what is in use now may be caches that give way (as ZFS's), or come
    from a host that gives more when it is wanted (as Hyper-V's does).
    """
    memory, swap = machine_memory()
    return int(min([memory.total, *memory_limits(root)]) + swap.total)


def free_memory(root: Path = ROOT) -> int:
    """Return the bytes of memory that are free for this process and its children now, swap included."""
    memory, swap = machine_memory()
    return int(min([memory.available, *memory_limits(root)]) + swap.free)


def machine_memory() -> tuple[Any, Any]:
    """Return what psutil tells of the machine's memory and of its swap."""
    import psutil  # takes 30 ms

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # psutil's, in containers that hide /proc/vmstat
        return psutil.virtual_memory(), psutil.swap_memory()


def memory_limits(root: Path) -> Iterator[int]:
    """Yield the limits of memory, in bytes."""
    return cgroup_numbers(root, "memory", ("memory.max", "memory.limit_in_bytes"))


def usable_processes(root: Path = ROOT) -> int | None:
    """Return how many processes and threads this user, or this container, may have."""
    limits = [*cgroup_numbers(root, "pids", ("pids.max",))]
    allowed = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if os.geteuid() and allowed != resource.RLIM_INFINITY:  # not for root
        limits.append(allowed)
    return min(limits, default=None)


def free_shared_memory(folder: Path = SHARED_MEMORY) -> int | None:
    """Return the bytes that are free in the folder that Linux has for shared memory."""
    if sys.platform != "linux":
        return None
    if not os.access(folder, os.W_OK):
        return 0
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize if status.f_blocks else None


def require_shared_memory(needed: int) -> None:
    """Raise a UserError unless ``needed`` bytes of shared memory are free."""
    free = free_shared_memory()
    if free is not None and free < needed:
        raise UserError(
            f"{SHARED_MEMORY} has {free / 2**20:.1f} MB free, and {needed / 2**20:.1f} MB of shared memory are needed: "
            f"enlarge it (docker run --shm-size=1g, or a memory volume in Kubernetes), or remove what fills it."
        )


def allow_open_files() -> int:
    """Raise the limit of open files as far as a program may need it and the system permits; return it."""
    soft, hard = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in limits_of_open_files())
    allowed = max(soft, min(hard, MOST_OPEN_FILES))
    if allowed > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, limits_of_open_files()[1]))
        except (OSError, ValueError):
            return soft
    return allowed


def children_that_fit() -> int:
    """Return how many children a program can have at a time by open files and processes."""
    by_files = (allow_open_files() - FILES_OF_PROGRAM) // FILES_OF_CHILD
    processes = usable_processes()
    by_processes = by_files if processes is None else (processes - PROCESSES_OF_PROGRAM) // PROCESSES_OF_CHILD
    return max(0, min(by_files, by_processes))


def require_open_files() -> None:
    """Raise a UserError if a program has too few open files for a single child."""
    needed, allowed = FILES_OF_PROGRAM + FILES_OF_CHILD, allow_open_files()
    if allowed < needed:
        raise UserError(
            f"{needed} open files are needed at least, and this process may use {allowed}: "
            f"run ulimit -n {needed} first, in a new shell where this one has a lower limit."
        )


def limits_of_open_files() -> tuple[int, int]:
    """Return the limit of open files that holds, and the one up to which it may be raised."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def folder_for_sockets(path: str = SOCKET_PATH) -> str:
    """Return a folder for sockets: the temporary one unless it takes none.

    Its path may be too long (107 bytes for a socket's), and a network's file system may refuse sockets. Linux has
    sockets without a path, but any user may connect to those (CVE-2022-42919).

    Args:
        path: Of a socket in it, as long as the longest that is to be made; multiprocessing's unless told otherwise.

    Raises:
        UserError: If no folder takes a socket.
    """
    with suppress(FileNotFoundError):  # no folder for temporary files at all
        if takes_sockets(tempfile.gettempdir(), path):
            return tempfile.gettempdir()
    for folder in filter(None, OTHER_FOLDERS):
        if takes_sockets(folder, path):
            return folder
    raise UserError("there is no folder for temporary files: set TMPDIR to one that can be written, with a short path.")


def takes_sockets(folder: str, path: str) -> bool:
    """Return whether a socket can be made in ``folder``, at a path as long as ``path``."""
    directory, name = path.split("/", 1)
    prefix = directory.removesuffix("12345678")
    try:
        with (
            tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as private,
            socket.socket(socket.AF_UNIX) as probe,
        ):
            probe.bind(f"{private}/{name.replace('/', '-')}")
    except OSError:
        return False
    return True


def oom_kills(root: Path = ROOT) -> int:
    """Return how many processes of this cgroup the kernel has killed for want of memory, as far as it tells."""
    for folder in cgroup_folders(root, "memory"):
        for file in ("memory.events", "memory.oom_control"):
            for line in read(folder / file).splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


def cgroup_numbers(root: Path, controller: str, files: tuple[str, ...]) -> Iterator[int]:
    """Yield the numbers in some files of this process's cgroups, where there are such files and they hold numbers."""
    for folder in cgroup_folders(root, controller):
        for file in files:
            with suppress(ValueError):  # "max", or no such file
                yield int(read(folder / file))


def cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's cgroups from its own to the topmost, as each of them may have limits.

    Not all of them need to be there: a container may see its own as the topmost.

    Args:
        root: Of the file system.
        controller: Such as ``memory``: each has groups of its own in version 1.
    """
    mounts = root / "sys/fs/cgroup"
    for line in read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2, which may be mounted beside version 1
            tops = [mounts, mounts / "unified"]
        elif controller in controllers.split(","):
            tops = [mounts / controllers, mounts / controller]
        else:
            continue
        own = PurePosixPath(path.lstrip("/"))
        groups = [own, *own.parents] if ".." not in own.parts else [PurePosixPath()]
        for top in tops:
            yield from (top / group for group in groups)


def read(path: Path) -> str:
    """Return what a file holds, without white space at its ends; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
