"""A notebook's ``%run train.py``: no descriptor behind stdout, an event loop that runs, a ``__main__`` of its own."""

import json
import sys
from pathlib import Path

import pytest

from tests.running import run

ROOT = Path(__file__).parents[2]
# What IPython's %run does in a kernel of Jupyter. A second %run in the same notebook finds a __main__ without __spec__.
NOTEBOOK = """
import asyncio, io, json, sys, types

class OutStream(io.StringIO):
    def fileno(self):
        raise io.UnsupportedOperation("fileno")
    def write(self, text):
        if self.broken:
            raise OSError(28, "No space left on device")
        return super().write(text)
    broken = False

kernels_main = sys.modules["__main__"]

def run_magic(path, *arguments):
    main = types.ModuleType("__main__")
    main.__dict__.clear()
    main.__dict__.update(__name__="__main__", __file__=path)
    before = sys.argv
    sys.argv, sys.modules["__main__"] = [path, *arguments], main
    try:
        exec(compile(open(path).read(), path, "exec"), main.__dict__)
    except SystemExit as left:
        return left.code
    finally:
        sys.argv, sys.modules["__main__"] = before, kernels_main

async def cells():
    path, stream, *arguments = sys.argv[1:]
    found = []
    for cell in range(2):
        sys.stdout = OutStream()
        sys.stdout.broken = stream == "broken"
        code = run_magic(path, *arguments, "--run", f"run-{cell}")
        found.append([code, sys.stdout.getvalue()])
    sys.stdout = sys.__stdout__
    print(json.dumps(found))

asyncio.run(cells())
"""


@pytest.mark.parametrize("stream", ["whole", "broken"])
def test_a_notebook_trains_twice(tmp_path: Path, stream: str) -> None:
    training = ("--preset", "cartpole", "--threads", "2", "--total-steps", "400", "--eval-minutes", "0")
    done = run(
        [sys.executable, "-c", NOTEBOOK, str(ROOT / "train.py"), stream, *training],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    for cell, (code, output) in enumerate(json.loads(done.stdout)):
        assert code == 0, done.stderr
        assert ("Done after" in output) == (stream == "whole")
        assert (tmp_path / "checkpoints" / f"run-{cell}").is_dir()
    assert "Traceback" not in done.stderr
