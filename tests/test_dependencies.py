"""A package or a library that is missing or broken is told in one sentence, by every program."""

import os
import sys
from pathlib import Path

import pytest

from breakout_a3c.dependencies import PIP_NAMES, dependency_trouble
from tests.running import run

ROOT = Path(__file__).parents[1]
BAD_INPUT = 2
LIBGL = "libGL.so.1: cannot open shared object file: No such file or directory"
# Package: what its import raises, and what the sentence says of it.
BROKEN = {
    "cv2": (f"ImportError('{LIBGL}')", "opencv-python needs libGL.so.1, which this system lacks"),
    "torch": ("OSError('libtorch_cpu.so: cannot open it')", "torch cannot be loaded (libtorch_cpu.so: cannot open it)"),
    "numba": ("ImportError('Numba needs NumPy 2.4 or less.')", "numba cannot be loaded (Numba needs NumPy 2.4 or less"),
    "ale_py": ("ModuleNotFoundError(\"No module named 'ale_py'\", name='ale_py')", "ale-py is not installed for"),
    "safetensors": ("ModuleNotFoundError('No module named x', name='safetensors')", "safetensors is not installed for"),
}
PLAY = ("play.py", "--episodes", "1")
TRAIN = ("train.py", "--preset", "cartpole", "--max-minutes", "0.01")
PUBLISH = ("-m", "breakout_a3c", "publish", __file__, "b.safetensors", "--evaluation", "c.json")
# Each package once, and torch in every program: the first two have a forkserver beside them that imports the same.
BROKEN_PROGRAMS = (
    *((program, "torch") for program in (PLAY, TRAIN, PUBLISH)),
    (PLAY, "cv2"), (TRAIN, "numba"), (PUBLISH, "ale_py"), (PUBLISH, "safetensors"),
)  # fmt: skip


def break_package(folder: Path, package: str, error: str) -> None:
    """Let programs that have ``folder`` in PYTHONPATH find a package whose import fails."""
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(f"raise {error}\n")


def error_of_importing(name: str, error: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    """Return what importing a package raises whose first line raises ``error``."""
    break_package(folder, name, error)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - any that a package may raise
        __import__(name)
    return raised.value


@pytest.mark.parametrize(
    ("program", "package"), BROKEN_PROGRAMS, ids=[f"{program[0]}-{package}" for program, package in BROKEN_PROGRAMS]
)
def test_every_program_says_which_package_is_broken(program: tuple[str, ...], package: str, tmp_path: Path) -> None:
    error, sentence = BROKEN[package]
    break_package(tmp_path, package, error)
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    words = [str(ROOT / program[0]), *program[1:]] if program[0].endswith(".py") else list(program)
    done = run([sys.executable, *words], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == BAD_INPUT
    assert f": the package {sentence}" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("code", "told"), [("import torch", False), ("1 / 0", True)])
def test_the_forkserver_leaves_it_to_the_program_to_say_so(code: str, told: bool, tmp_path: Path) -> None:
    break_package(tmp_path, "torch", "OSError('libtorch_cpu.so: cannot open it')")
    done = run(
        [sys.executable, "-c", f"import breakout_a3c.processes.preload; {code}"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "FORKSERVER_PARENT": str(os.getpid())},
    )
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) == bool(done.stderr) == told


def test_the_sentence_for_opencv_names_the_systems_package_and_the_headless_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = dependency_trouble(error_of_importing("cv2", f"ImportError('{LIBGL}')", tmp_path, monkeypatch))
    assert trouble is not None
    assert "apt install libgl1 libglib2.0-0" in trouble
    assert "pip uninstall opencv-python, then " in trouble
    assert trouble.endswith("pip install opencv-python-headless.")


def test_a_damaged_library_is_told_like_a_missing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = "ImportError('/lib/x86_64-linux-gnu/libgomp.so.1: file too short')"
    trouble = dependency_trouble(error_of_importing("some_package", error, tmp_path, monkeypatch))
    assert trouble is not None
    assert "some_package needs libgomp.so.1" in trouble
    assert "apt install libgomp1" in trouble


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("ImportError('libx.so: failed to map segment from shared object')", "ulimit -v"),
        ("ImportError('libgomp.so.1: cannot allocate memory in static TLS block')", "LD_PRELOAD"),
        ("MemoryError()", "ulimit -v"),
        ("OSError(12, 'Cannot allocate memory')", "ulimit -v"),
        ("ImportError('libx.so: cannot open shared object file: Too many open files')", "ulimit -n"),
        ("OSError(24, 'Too many open files')", "ulimit -n"),
        ("OSError(23, 'Too many open files in system')", "close other programs"),
    ],
)
def test_a_limit_that_an_import_meets_is_no_broken_package(
    error: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = dependency_trouble(error_of_importing("some_package", error, tmp_path, monkeypatch))
    assert trouble is not None
    assert trouble.startswith("the package some_package cannot be loaded (")
    assert advice in trouble.rpartition("): ")[2]
    assert "install" not in trouble


def test_a_limit_that_is_met_before_a_module_is_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(self: object, path: str) -> bytes:
        raise OSError(24, "Too many open files", path)

    with monkeypatch.context() as patch:
        patch.setattr("importlib.machinery.SourceFileLoader.get_data", read)
        error = error_of_importing("some_package", "ValueError()", tmp_path, monkeypatch)
    trouble = dependency_trouble(error)
    assert trouble is not None
    assert trouble.startswith("this program cannot be loaded ([Errno 24] Too many open files: ")
    assert trouble.endswith("): allow more open files (ulimit -n).")


def test_a_shell_with_little_memory_is_told_of_its_limit(tmp_path: Path) -> None:
    command = f"ulimit -v 300000 && exec {sys.executable} {ROOT}/train.py --preset cartpole"
    done = run(["sh", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert "ulimit -v" in done.stderr
    assert "reinstall" not in done.stderr


def test_a_part_that_an_installed_package_lacks_is_told() -> None:
    with pytest.raises(ModuleNotFoundError) as raised:
        __import__("numpy.nothing")
    trouble = dependency_trouble(raised.value)
    assert trouble is not None
    assert trouble.startswith("the package numpy cannot be loaded (No module named 'numpy.nothing'): ")


def test_the_first_cause_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gymnasium says of any error of pygame's that pygame is not installed."""
    cause = error_of_importing("pygame", "ImportError('libSDL2.so: no such file')", tmp_path, monkeypatch)
    error = RuntimeError("pygame is not installed")
    error.__cause__ = cause
    trouble = dependency_trouble(error)
    assert trouble is not None
    assert trouble.startswith("the package pygame-ce cannot be loaded (libSDL2.so: no such file)")


def test_a_long_reason_is_told_in_part_and_on_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = error_of_importing("some_package", "ImportError('PLEASE READ THIS\\n' * 100)", tmp_path, monkeypatch)
    trouble = dependency_trouble(error)
    assert trouble is not None
    assert "\n" not in trouble
    assert len(trouble) < 500


def test_a_name_that_another_version_of_a_package_lacks_is_told() -> None:
    with pytest.raises(ImportError) as raised:
        from gymnasium import nothing_like_that  # type: ignore[attr-defined]  # noqa: F401
    trouble = dependency_trouble(raised.value)
    assert trouble is not None
    assert trouble.startswith("the package gymnasium cannot be loaded (cannot import name")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("wrong"),
        OSError("disk full"),
        OSError(24, "Too many open files"),
        MemoryError(),
        ModuleNotFoundError("No module named 'breakout_a3c.nothing'", name="breakout_a3c.nothing"),
        ImportError("cannot import name 'x' from 'breakout_a3c.config'", name="breakout_a3c.config"),
    ],
    ids=repr,
)
def test_a_fault_of_this_program_keeps_its_traceback(error: Exception) -> None:
    assert dependency_trouble(error) is None


def test_a_module_that_this_python_lacks_is_told() -> None:
    trouble = dependency_trouble(ModuleNotFoundError("No module named 'fcntl'", name="fcntl"))
    assert trouble is not None
    assert f"has no module fcntl on {sys.platform}" in trouble


def test_the_names_for_pip_are_those_of_the_requirements() -> None:
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert all(f"\n{name}" in requirements for name in PIP_NAMES.values())
