"""Pythons that have less: macOS has no affinity, no pidfd and no epoll; conda's on Linux has no pidfd and no memfd.

It is Linux that runs here. The packages are imported as on Linux, and then this program sees the rest as there.
"""

import json
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

from tests.running import run

ROOT = Path(__file__).parents[2]
SITECUSTOMIZE = """
import os, select, sys
os.environ["OMP_NUM_THREADS"] = "1"
import ale_py, cv2, gymnasium, imageio_ffmpeg, numba, psutil, torch, urllib.request
import torch.utils.tensorboard
imageio_ffmpeg.get_ffmpeg_exe()
for name in ("sched_getaffinity", "sched_setaffinity", "pidfd_open", "memfd_create", "eventfd"):
    delattr(os, name)
del select.epoll
sys.platform = "darwin"
"""


# What a Python lacks that was built with a glibc older than 2.27, on whatever Linux it runs.
OLD_BUILD = "import os; del os.memfd_create, os.pidfd_open"


def run_there(folder: Path, *words: str) -> CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    done = run(
        [sys.executable, "-m", "breakout_a3c", *words], capture_output=True, text=True, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_it_trains_and_evaluates_with_what_macos_has(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    trained = run_there(
        tmp_path, "train", "--preset", "cartpole", "--threads", "3", "--total-steps", "3000", "--run", "a"
    )
    assert "Done after" in trained.stdout
    assert "Evaluation after" in trained.stdout
    assert len(json.loads(run_there(tmp_path, "play", "--episodes", "2", "--json").stdout)["scores"]) == 2


def test_it_trains_with_a_python_that_was_built_for_an_old_linux(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(OLD_BUILD)
    options = ["--threads", "3", "--total-steps", "400", "--eval-minutes", "0"]
    trained = run_there(tmp_path, "train", "--preset", "cartpole", *options)
    assert "Done after" in trained.stdout
    assert "died" not in trained.stdout
