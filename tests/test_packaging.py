"""What the package asks for, what is tested, and which Python makes the virtual environment."""

import os
import re
import shutil
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.running import run

ROOT = Path(__file__).parents[1]
BAD_INPUT = 2


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def ranges() -> dict[str, SpecifierSet]:
    """Return what the package asks for, by name."""
    return {each.name: each.specifier for each in map(Requirement, project()["dependencies"])}


def requirements() -> dict[str, SpecifierSet]:
    """Return what the tests are run with, by name."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    needed = [Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]
    return {each.name: each.specifier for each in needed}


def test_the_package_asks_for_what_is_requirements() -> None:
    assert ranges().keys() == requirements().keys()


@pytest.mark.parametrize("name", ranges())
def test_the_range_of_a_package_holds_the_version_that_is_tested(name: str) -> None:
    assert version(name) in requirements()[name]
    assert version(name) in ranges()[name]
    lowest = next(each.version for each in requirements()[name] if each.operator in (">=", "=="))
    assert lowest in ranges()[name]


def test_a_user_may_have_an_older_torch() -> None:
    assert "2.9.0" in ranges()["torch"]
    assert "2.13.0" in ranges()["torch"]


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("sys.version_info = (3, 10, 13)", "{python} is older than Python 3.11: install a newer one, or give PYTHON="),
        (
            "sys.version_info = (3, 15, 0)",
            "{python} is newer than Python 3.14, and ale-py and torch have no build for it yet: give PYTHON=",
        ),
        (
            "import platform; sys.platform = 'darwin'; platform.machine = lambda: 'x86_64'",
            "PyTorch and ale-py have no build for a Mac with an Intel processor: use Linux, ",
        ),
    ],
)
def test_make_refuses_a_python_that_a_dependency_does_not_support(tmp_path: Path, python: str, sentence: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    other = tmp_path / "python"
    code = f"import sys; {python}; exec(sys.argv[1])"
    other.write_text(f'#!/bin/sh\n[ "$1" = -c ] || exit 77\nexec "{sys.executable}" -c "{code}" "$2"\n')
    other.chmod(0o700)
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # make runs these tests
    done = run(["make", f"PYTHON={other}", ".venv/pyvenv.cfg"], env=alone, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == BAD_INPUT
    first, *others = done.stderr.splitlines()
    assert first.startswith(f"make: {sentence.format(python=other)}")
    assert all(line.startswith("make: ***") for line in others)
    assert not (tmp_path / ".venv").exists()


def test_make_takes_the_versions_that_the_package_takes() -> None:
    checks = re.findall(r"sys\.version_info (<|>=) \((\d+), (\d+)\)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    refused = {operator: f"{major}.{minor}" for operator, major, minor in checks}
    assert SpecifierSet(project()["requires-python"]) == SpecifierSet(f">={refused['<']},<{refused['>=']}")
