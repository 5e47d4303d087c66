"""Trainings by a call, from a script as users write one."""

import os
import signal
import sys
import threading
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from breakout_a3c import PRESETS, UserError, load_agent, train
from breakout_a3c.training.status import TrainingStatus
from tests.running import Program, run, wait_for

ROOT = Path(__file__).parents[2]
INTERRUPTED = """
from breakout_a3c import PRESETS, load_agent, train

if __name__ == "__main__":
    config = PRESETS["cartpole"].replace(total_steps=10**9)
    path = train(config, run="mine", on_status=lambda status: print("learned" if status.updates else "began"))
    print("saved", load_agent(path).config.schedule.total_steps)
"""
WITHOUT_GUARD = """
from breakout_a3c import PRESETS, train

train(PRESETS["cartpole"].replace(total_steps=1000))
"""
QUICK = PRESETS["cartpole"].replace(threads=1, total_steps=3000, eval_minutes=0.0)


def test_a_training_ends_with_a_checkpoint_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[TrainingStatus] = []
    path = train(QUICK, run="mine", on_status=seen.append)
    assert path is not None
    assert path.parent == Path("checkpoints/mine")
    assert load_agent(path).config == QUICK
    assert seen[-1].progress == 1
    later = train(QUICK.replace(total_steps=6000), resume=path)
    assert later is not None
    assert (later.parent, later > path) == (path.parent, True)


def test_a_callback_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = train(QUICK.replace(total_steps=10**9), on_status=lambda status: status.steps < 1000)
    assert path is not None


def test_an_error_of_a_callback_is_raised_after_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def fail(status: TrainingStatus) -> None:
        if status.steps > 1000:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        train(QUICK.replace(total_steps=10**9), run="mine", on_status=fail)
    assert list(Path("checkpoints/mine").glob("step_*.pt"))


def test_ctrl_c_in_a_script_saves(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(INTERRUPTED)
    program = Program(
        [sys.executable, "-u", "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=PIPE,
        stderr=STDOUT,
        text=True,
    )
    assert program.stdout is not None
    wait_for(lambda: program.stdout.readline() == "learned\n")  # type: ignore[union-attr]
    program.send_signal(signal.SIGINT)
    printed, _ = program.communicate(timeout=60)
    assert program.returncode == 0, printed
    assert printed.endswith("saved 1000000000\n")


def test_a_script_without_guard_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(WITHOUT_GUARD)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = run([sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert 'put the call of train() below if __name__ == "__main__"' in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"run": "../x"}, "--run is '../x': use letters"),
        ({"config": PRESETS["breakout"].replace_given({"game": "pongg"})}, "did you mean pong"),
        ({"resume": "missing.pt"}, "there is no checkpoint at missing.pt"),
    ],
)
def test_a_mistake_is_a_sentence(
    arguments: dict[str, object], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence.replace(".", r"\.")):
        train(**arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_another_thread_is_told_of_the_main_thread() -> None:
    told: list[str] = []

    def call() -> None:
        try:
            train(QUICK)
        except UserError as error:
            told.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert told == ["only the main thread of a program hears Ctrl-C: call train() there."]
