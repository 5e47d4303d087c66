import os
import stat
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.running import Program, run

REPOSITORY = Path(__file__).parents[2]

# A child that has had no chance to import torch itself ends with code 7 if it is there already.
PRELOADED = """
from breakout_a3c.training.contexts import PRELOAD
from breakout_a3c.processes.start import process_context
if __name__ == "__main__":
    child = process_context("forkserver", PRELOAD).Process(target=exec, args=(
        "import sys; sys.exit(7 if {'torch', 'breakout_a3c.learning.actor_learner'} <= set(sys.modules) else 1)",))
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""


def test_children_find_torch_imported(tmp_path: Path) -> None:
    """A forkserver swallows an ImportError of its preload, and starting 8 actor-learners then takes 15 s."""
    script = tmp_path / "script.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n{PRELOADED}")
    assert run([sys.executable, str(script)], cwd=tmp_path, timeout=60).returncode == 7


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
@pytest.mark.parametrize("killed", [False, True])
def test_a_forkserver_ends_at_once_if_the_trainer_was_killed_before_it_began(killed: bool) -> None:
    parent = os.environ | {"FORKSERVER_PARENT": "1" if killed else str(os.getpid())}
    code = "import breakout_a3c.processes.preload; print('imports of seconds')"
    done = run([sys.executable, "-c", code], cwd=REPOSITORY, env=parent, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == ((1, "") if killed else (0, "imports of seconds\n"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train.py --help", "usage:"),
        ("play.py --help", "usage:"),
        ("train.py --threads 0", "--threads is 0"),
        ("play.py --episodes 0", "--episodes"),
        ("play.py missing.pt", "there is no checkpoint at missing.pt"),
        ("train.py --init-from missing.safetensors", "there is no model at missing.safetensors"),
        ("train.py --resume missing.pt", "there is no checkpoint at missing.pt"),
        ("train.py --run ../up", "--run is '../up'"),
    ],
)
def test_help_and_mistakes_do_not_wait_for_torch(line: str, words: str) -> None:
    program = line.split(maxsplit=1)[0]
    code = (
        f"import runpy, sys\nsys.argv = {line.split()!r}\n"
        f"try: runpy.run_path({program!r}, run_name='__main__')\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    done = run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout + done.stderr


# It prints where its sockets are; its child prints that it runs, and sleeps.
SLEEPING = """
import sys, time
from multiprocessing import util
from breakout_a3c.processes.start import process_context, start_process
def sleep():
    print("child", flush=True)
    time.sleep(1000)
if __name__ == "__main__":
    context = process_context("forkserver")
    print(util.get_temp_dir(), flush=True)
    start_process(context, "sleeper", sleep)
    sys.stdin.read()
"""


def start_sleeping(folder: Path, temporary: Path) -> tuple[Program, Path]:
    """Start a program that has a child and ``TMPDIR`` set; return it, and the folder of its sockets."""
    script = folder / "script.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n{SLEEPING}")
    environment = os.environ | {"TMPDIR": str(temporary)}
    program = Program([sys.executable, str(script)], env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
    assert program.stdout is not None
    sockets, child = program.stdout.readline().strip(), program.stdout.readline().strip()
    assert child == "child", program.communicate()[1]
    return program, Path(sockets)


def test_sockets_of_a_long_temporary_folder_go_to_a_private_one_and_are_removed(tmp_path: Path) -> None:
    temporary = tmp_path / ("x" * 96)
    temporary.mkdir()
    program, sockets = start_sleeping(tmp_path, temporary)
    assert temporary not in sockets.parents
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert program.communicate("end") == ("", "")
    assert program.returncode == 0
    assert not sockets.exists()
    assert not list(temporary.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="it takes Linux's pidfd")
def test_the_child_of_a_killed_program_removes_its_sockets(tmp_path: Path) -> None:
    program, sockets = start_sleeping(tmp_path, tmp_path)
    assert list(sockets.iterdir())
    program.kill()
    program.communicate()
    assert not sockets.exists()


def test_a_program_with_too_few_open_files_for_a_child_gets_a_sentence() -> None:
    shell = f"ulimit -n 30 && exec {sys.executable} play.py --episodes 1"
    done = run(["sh", "-c", shell], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "play.py: 31 open files are needed at least, and this process may use 30: "
        "run ulimit -n 31 first, in a new shell where this one has a lower limit.\n"
    )


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_program_computes_with_one_thread_whatever_a_batch_system_says(name: str) -> None:
    code = (
        "from breakout_a3c.command_line import run_program\n"
        "def threads():\n    import torch; print(torch.get_num_threads())\n"
        "run_program(threads)"
    )
    environment = os.environ | {name: "2"}
    done = run([sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr
