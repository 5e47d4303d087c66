"""Where only what macOS has is there: no affinity, no pidfd, no epoll, and another name of the platform.

It is Linux that runs here. The packages are imported as on Linux, and then this program sees the rest as on macOS.
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
