import sys
from pathlib import Path

import pytest

from tests.running import run

REPOSITORY = Path(__file__).parents[2]

# A child that has had no chance to import torch itself ends with code 7 if it is there already.
PRELOADED = """
from breakout_a3c.commands.train import PRELOAD
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


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train.py --help", "usage:"),
        ("play.py --help", "usage:"),
        ("train.py --threads 0", "--threads is 0"),
        ("play.py --episodes 0", "--episodes"),
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
