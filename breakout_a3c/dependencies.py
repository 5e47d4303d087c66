"""Finds in an error the package or the system's library that is missing or broken, and says how to mend it."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb

# Package as it is imported: as it is installed.
PIP_NAMES = {
    "ale_py": "ale-py",
    "cv2": "opencv-python",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "pygame": "pygame-ce",
}
# Library of the system: the package of Debian and Ubuntu that has it. OpenCV's are those that ldd tells of version 5.
DEBIAN_PACKAGES = {
    "libGL.so": "libgl1",
    "libglib-2.0.so": "libglib2.0-0",
    "libgthread-2.0.so": "libglib2.0-0",
    "libxcb.so": "libxcb1",
    "libgomp.so": "libgomp1",
    "libstdc++.so": "libstdc++6",
    "libz.so": "zlib1g",
}
HEADLESS = "opencv-python-headless"
MAX_REASON = 200  # characters; numpy's is a page
REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"  # only in a checkout
OWN = __name__.partition(".")[0]


def dependency_trouble(error: BaseException) -> str | None:
    """Return a sentence for an error that comes from importing a package; None for any other error."""
    sentences = (sentence_of(cause) for cause in causes(error))
    return next((sentence for sentence in sentences if sentence), None)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, the first cause first."""
    if error.__cause__ is not None:
        yield from causes(error.__cause__)
    yield error


def sentence_of(error: BaseException) -> str | None:
    """Return a sentence for an error that comes from importing a package, without regard to its causes."""
    python = sys.executable
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if missing in sys.stdlib_module_names:
        return f"{python} has no module {missing} on {sys.platform}: use a whole Python, on Linux or macOS."
    if foreign(missing):
        name = PIP_NAMES.get(missing, missing)
        wanted = f"-r {REQUIREMENTS}" if REQUIREMENTS.is_file() else name
        return (
            f"the package {name} is not installed for {python}: run make and then .venv/bin/python, "
            f"or {python} -m pip install {wanted}."
        )
    package = broken_package(error) or (foreign(error.name or "") if isinstance(error, ImportError) else "")
    if not package:
        return None
    name = PIP_NAMES.get(package, package)
    library = re.search(r"(lib[\w+.-]+?\.so)[.\d]*", str(error))
    debian = DEBIAN_PACKAGES.get(library[1]) if library else None
    if library is None or debian is None:
        reason = " ".join(str(error).split())[:MAX_REASON] or type(error).__name__
        return f"the package {name} cannot be loaded ({reason}): {python} -m pip install --force-reinstall {name}."
    advice = f"apt install {debian}, where the system is Debian or Ubuntu"
    if package == "cv2":
        without = f"{python} -m pip uninstall {name}, then {python} -m pip install {HEADLESS}"
        advice = f"apt install libgl1 libglib2.0-0, where the system is Debian or Ubuntu, or do without them: {without}"
    return f"the package {name} needs {library[0]}, which this system lacks or has damaged: {advice}."


def broken_package(error: BaseException) -> str:
    """Return the innermost package in the middle of whose import the error was raised; empty if there is none."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__) if frame.f_code.co_name == "<module>")
    packages = (foreign(str(frame.f_globals.get("__name__", ""))) for frame in frames)
    return next(filter(None, reversed(list(packages))), "")


def foreign(module: str) -> str:
    """Return the package of a module; empty if it is this program's, Python's own, or what was started."""
    package = module.partition(".")[0]
    return "" if package in {OWN, "__main__", "__mp_main__", *sys.stdlib_module_names} else package
