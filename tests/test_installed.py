"""The package as pip installs it from a wheel: its command, its models, in a folder of somebody else's."""

import json
import os
import site
import sys
import venv
import zipfile
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.running import run

ROOT = Path(__file__).parents[1]
BAD_INPUT = 2


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of this tree, so that nothing is built in it."""
    folder = tmp_path_factory.mktemp("wheel")
    files = ("pyproject.toml", "README.md", "LICENSE", "breakout_a3c", "models")
    run(["cp", "-a", *(ROOT / name for name in files), folder], check=True)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", folder]
    run(build, capture_output=True, text=True, check=True)
    (wheel,) = (folder / "dist").iterdir()
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a fresh virtual environment, which finds the dependencies where these tests find them."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "bin/python",
        "install",
        "--no-deps",
        "--no-index",
        "--ignore-installed",  # where this package is a dependency that is found, as in a container
        wheel,
    ]
    run(install, capture_output=True, text=True, check=True)
    return folder / "bin"


def call(*command: object, folder: Path) -> CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return run(list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True)


def test_a_wheel_has_the_models_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    models = {path.name for path in (ROOT / "models").glob("*.safetensors")}
    assert {Path(name).name for name in names if name.startswith("breakout_a3c/models/")} == models
    assert {name.split("/")[0] for name in names} == {
        "breakout_a3c",
        next(n for n in names if ".dist-info" in n).split("/")[0],
    }


def test_the_command_trains_and_plays(installed: Path, tmp_path: Path) -> None:
    command = installed / "breakout-a3c"
    training = ("--preset", "cartpole", "--threads", 1, "--total-steps", 2000, "--eval-minutes", 0)
    done = call(command, "train", *training, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "measure:   breakout-a3c play checkpoints/" in done.stdout
    done = call(command, "play", "checkpoints/latest.pt", "--episodes", 2, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["scores"]) == 2


def test_the_published_model_is_inside(installed: Path, tmp_path: Path) -> None:
    code = "import breakout_a3c as b; print(b.__file__, b.load_agent('breakout').action_names)"
    done = call(installed / "python", "-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(installed.parent) in done.stdout
    assert "('FIRE', 'RIGHT', 'LEFT')" in done.stdout


def test_help_and_mistakes_name_the_command(installed: Path, tmp_path: Path) -> None:
    done = call(installed / "breakout-a3c", "--help", folder=tmp_path)
    assert done.stdout.startswith("usage: breakout-a3c COMMAND ...\n")
    assert "export" in done.stdout
    done = call(installed / "breakout-a3c", "train", "--threds", 8, folder=tmp_path)
    assert done.returncode == BAD_INPUT
    assert done.stderr.endswith("see breakout-a3c train --help.\n")
