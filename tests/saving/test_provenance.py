"""A result names the versions and the commit that it comes from."""

import re
import sys
from pathlib import Path

import pytest
import torch

from breakout_a3c.saving import provenance
from breakout_a3c.saving.provenance import command_line, program_versions
from tests.running import run


def test_the_commit_says_if_the_code_differs_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    code, text = tmp_path / "package" / "code.py", tmp_path / "README.md"
    code.parent.mkdir()
    monkeypatch.setattr(provenance, "__file__", str(code))
    code.touch()
    text.touch()
    assert program_versions()["commit"] == "unknown", "there is no repository"
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    commit = program_versions()["commit"]
    assert re.fullmatch("[0-9a-f]{12}", commit)
    text.write_text("another text")
    assert program_versions()["commit"] == commit, "what is no code changes no result"
    code.write_text("another = 1")
    assert program_versions()["commit"] == f"{commit}-dirty"


def test_the_versions_are_those_of_what_computes() -> None:
    versions = program_versions()
    assert set(versions) == {"commit", "python", "torch", "ale-py", "numpy"}
    assert versions["torch"] == torch.__version__
    assert all(type(version) is str for version in versions.values()), "torch's own is a class that a file cannot hold"


def test_the_command_is_the_one_that_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--threads", "3"])
    assert command_line() == "python train.py --threads 3"
