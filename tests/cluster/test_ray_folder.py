"""Folders of Ray: none is left by a program that was killed, none is taken from one that runs."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from breakout_a3c.cluster import ray_folder
from breakout_a3c.cluster.ray_folder import LOCK, RayFolder
from tests.running import Program

CODE = """
import sys, time
from breakout_a3c.cluster import ray_folder
ray_folder.folder_for_sockets = lambda path: sys.argv[1]
folder = ray_folder.RayFolder()
print(folder.path, flush=True)
time.sleep(100)
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ray_folder, "folder_for_sockets", lambda path: str(tmp_path))
    return tmp_path


def test_a_folder_is_removed_with_all_that_is_in_it(parent: Path) -> None:
    folder = RayFolder()
    (folder.path / "session").mkdir()
    (folder.path / "session" / "log").write_text("...")
    folder.remove()
    assert list(parent.iterdir()) == []


def test_the_next_program_removes_what_a_killed_one_left(parent: Path) -> None:
    program = Program([sys.executable, "-c", CODE, str(parent)], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    left = Path(program.stdout.readline().strip())
    RayFolder().remove()
    assert left.exists(), "it is in use"
    program.kill()
    program.wait()
    RayFolder().remove()
    assert list(parent.iterdir()) == []


def test_the_folders_of_others_stay(parent: Path) -> None:
    other = parent / "ray-of-another-program"
    other.mkdir()
    mine = RayFolder()
    assert (mine.path / LOCK).exists()
    RayFolder().remove()
    assert sorted(parent.iterdir()) == sorted([mine.path, other])
    mine.remove()


def test_where_the_temporary_folders_path_is_long_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = RayFolder()
    assert long not in folder.path.parents
    folder.remove()
