"""Where no command can run, one sentence says so, on any Python 3."""

import ast
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from breakout_a3c.launch import OLDEST_PYTHON, launch, trouble_here

ROOT = Path(__file__).parents[1]
READ_BY_OLD_PYTHONS = (
    "train.py", "play.py", "breakout_a3c/__init__.py", "breakout_a3c/__main__.py", "breakout_a3c/launch.py",
)  # fmt: skip
BAD_INPUT = 2


def test_here_everything_can_run() -> None:
    assert trouble_here() == ""


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 8, 0), (3, 10, 99)])
def test_an_old_python_is_refused_in_one_sentence(
    version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(SystemExit) as left:
        launch("breakout_a3c.commands.train")
    assert left.value.code == BAD_INPUT
    found = ".".join(map(str, version[:2]))
    error = capsys.readouterr().err
    assert error.startswith(f"train.py: this is Python {found}, and it takes 3.11 or newer: run make, ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("platform", ["win32", "cygwin"])
def test_windows_is_told_of_wsl(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert "run it in WSL" in trouble_here()


def test_a_thread_is_told_of_the_main_thread() -> None:
    with ThreadPoolExecutor() as pool:
        assert "only the main thread of a program hears Ctrl-C" in pool.submit(trouble_here).result()


@pytest.mark.parametrize("name", READ_BY_OLD_PYTHONS)
def test_an_old_python_can_read_what_refuses_it(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 6))
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    ours = {"breakout_a3c.launch", "breakout_a3c.called"}
    assert imported <= {"gc", "importlib", "os", "sys", "threading", "typing", *ours}
    annotations = [each.returns for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
    assert not any(isinstance(each, ast.BinOp) for each in annotations), "int | None is evaluated: quote it"


def test_the_oldest_python_is_that_of_the_package_and_of_make() -> None:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    assert f'requires-python = ">={oldest},' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"older than Python {oldest}" in (ROOT / "Makefile").read_text(encoding="utf-8")
