"""Starts a command, or says in one sentence why this Python or this system cannot run it.

Any Python from 3.6 on can read this file, and what it imports before the check.
"""

import gc
import importlib
import os
import sys
import threading

GARBAGE_THRESHOLD = 50_000  # new objects until a look for garbage: at 700, a tenth of the time of torch's import
OLDEST_PYTHON = (3, 11)  # the first with typing.Self and tomllib


def launch(module: str) -> None:
    """Run ``main()`` of a module as a program, and exit with its code."""
    trouble = trouble_here()
    if trouble:
        sys.stderr.write(f"{sys.argv[0]}: {trouble}\n")
        sys.exit(2)
    gc.set_threshold(GARBAGE_THRESHOLD)
    # TensorBoard pulls in TensorFlow's C++ logger when that happens to be installed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from breakout_a3c.command_line import run_program

    main = sys.modules["__main__"]
    if not hasattr(main, "__spec__"):  # as after a second %run in a notebook; multiprocessing asks for it
        main.__spec__ = None
    run_program(lambda: importlib.import_module(module).main())


def trouble_here() -> str:
    """Return a sentence that says why no command can run here, empty if any can."""
    if sys.version_info < OLDEST_PYTHON:
        found, oldest = (".".join(map(str, version)) for version in (sys.version_info[:2], OLDEST_PYTHON))
        return (
            f"this is Python {found}, and it takes {oldest} or newer: run make, and then .venv/bin/python; "
            f"make PYTHON=/path/to/python{oldest} takes another one."
        )
    if sys.platform in ("win32", "cygwin"):
        return "Windows has no fcntl and no forkserver: run it in WSL, which is Linux (wsl --install)."
    if threading.current_thread() is not threading.main_thread():
        return "only the main thread of a program hears Ctrl-C: start it there, such as in a cell of a notebook."
    return ""
