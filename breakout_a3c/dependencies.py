"""Finds in an error the package or the system's library that is missing or broken, and says how to mend it."""

import errno
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
MORE_MEMORY = "allow more memory (ulimit -v, a container's limit), or free some"
MORE_FILES = "allow more open files (ulimit -n)"
# What the loader of libraries, or numpy, says of a limit that was met: how to mend that.
LIMITS = {
    "in static tls block": "start it with LD_PRELOAD set to that library",  # glibc's room for thread-local variables
    "failed to map segment": MORE_MEMORY,
    "cannot allocate memory": MORE_MEMORY,
    "unable to allocate": MORE_MEMORY,
    "too many open files": MORE_FILES,
}
LIMITS_OF_NUMBERS = {errno.ENOMEM: MORE_MEMORY, errno.EMFILE: MORE_FILES, errno.ENFILE: "close other programs"}
HEADLESS = "opencv-python-headless"
MAX_REASON = 200  # characters; numpy's is a page
REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"  # only in a checkout
OWN = __name__.partition(".")[0]
STARTED = ("__main__", "__mp_main__")


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
    missing = missing_package(error)
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
    name = PIP_NAMES.get(package, package)
    reason = " ".join(str(error).split())[:MAX_REASON] or type(error).__name__
    limit = limit_met(error)
    if limit and (package or is_importing(error)):
        return f"{f'the package {name}' if name else 'this program'} cannot be loaded ({reason}): {limit}."
    if not package:
        return None
    library = re.search(r"(lib[\w+.-]+?\.so)[.\d]*", str(error))
    if library is None or library[1] not in DEBIAN_PACKAGES:
        return f"the package {name} cannot be loaded ({reason}): {python} -m pip install --force-reinstall {name}."
    return f"the package {name} needs {library[0]}, which this system lacks or has damaged: {advice(package, library)}."


def advice(package: str, library: re.Match[str]) -> str:
    """Return how to get a library of the system that a package needs."""
    if package == "cv2":
        name, pip = PIP_NAMES[package], f"{sys.executable} -m pip"
        without = f"{pip} uninstall {name}, then {pip} install {HEADLESS}"
        return f"apt install libgl1 libglib2.0-0, where the system is Debian or Ubuntu, or do without them: {without}"
    return f"apt install {DEBIAN_PACKAGES[library[1]]}, where the system is Debian or Ubuntu"


def missing_package(error: BaseException) -> str:
    """Return the package, or the module of Python's own, that is not there at all; empty if it is another error."""
    name = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    package, _, rest = name.partition(".")
    return "" if rest and package not in sys.stdlib_module_names else package


def limit_met(error: BaseException) -> str:
    """Return how to mend the want of memory or of open files that an error tells of; empty if it tells of none."""
    if isinstance(error, MemoryError):
        return MORE_MEMORY
    if isinstance(error, OSError) and error.errno in LIMITS_OF_NUMBERS:
        return LIMITS_OF_NUMBERS[error.errno]
    return next((limit for words, limit in LIMITS.items() if words in str(error).lower()), "")


def is_importing(error: BaseException) -> bool:
    """Return whether the error was raised while a module was read or run, be it this program's."""
    return any(
        frame.f_globals.get("__name__") == "importlib._bootstrap"
        or (frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") not in STARTED)
        for frame, _ in walk_tb(error.__traceback__)
    )


def broken_package(error: BaseException) -> str:
    """Return the innermost package in the middle of whose import the error was raised; empty if there is none."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__) if frame.f_code.co_name == "<module>")
    packages = (foreign(str(frame.f_globals.get("__name__", ""))) for frame in frames)
    return next(filter(None, reversed(list(packages))), "")


def foreign(module: str) -> str:
    """Return the package of a module; empty if it is this program's, Python's own, or what was started."""
    package = module.partition(".")[0]
    return "" if package in {OWN, *STARTED, *sys.stdlib_module_names} else package
