"""How a process ended, in words."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from breakout_a3c.processes import ends
from breakout_a3c.processes.ends import Ends
from tests.running import run, wait_for

REPOSITORY = Path(__file__).parents[2]
MEMORY_GROUP = Path("/sys/fs/cgroup/memory")
GREEDY = """
from breakout_a3c.processes.ends import Ends
from breakout_a3c.processes.start import process_context, start_process
def take(megabytes):
    b"x" * (megabytes << 20)
if __name__ == "__main__":
    ends = Ends()
    child = start_process(process_context("forkserver"), "greedy", take, 2000)
    child.join()
    print(ends.describe(child.exitcode, "take less"))
"""


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (3, "ended with exit code 3"),
        (None, "has closed its pipe"),
        (-11, "was killed (SIGSEGV)"),
        (-7, "was killed (SIGBUS)"),
        (-40, "was killed (signal 40)"),
        (-9, "was killed (SIGKILL), perhaps by the kernel for want of memory: close a window"),
    ],
)
def test_an_end_has_a_name(exit_code: int | None, words: str) -> None:
    assert Ends().describe(exit_code, "close a window") == words


def test_it_is_sure_where_the_kernel_has_counted_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([4, 5, 5])
    monkeypatch.setattr(ends, "oom_kills", lambda: next(counts))
    killed = Ends()
    assert killed.describe(-9, "x") == "was killed (SIGKILL), by the kernel for want of memory: x"
    assert "perhaps" in killed.describe(-9, "x"), "that one was counted before"


def removed(group: Path) -> bool:
    """Remove a cgroup, and return whether that went: it is busy until the forkserver, too, has ended."""
    with suppress(OSError):
        group.rmdir()
    return not group.exists()


@pytest.mark.skipif(not os.access(MEMORY_GROUP, os.W_OK), reason="takes root, and cgroups of version 1")
def test_a_child_that_the_kernel_kills_for_want_of_memory(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n{GREEDY}")
    group = MEMORY_GROUP / f"test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(600 * 2**20))
        shell = f"echo $$ > {group}/cgroup.procs && exec {sys.executable} {script}"
        done = run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    finally:
        wait_for(lambda: removed(group))
    assert done.stdout == "was killed (SIGKILL), by the kernel for want of memory: take less\n"
