"""The command export as a user types it."""

import json
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests import running

ROOT = Path(__file__).parents[2]
BAD_INPUT = 2


def run(*arguments: object, folder: Path) -> CompletedProcess[str]:
    command = [sys.executable, "-m", "breakout_a3c", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return running.run(command, capture_output=True, text=True, cwd=folder, env=environment)


def test_a_model_becomes_a_folder_with_a_replay(cartpole_checkpoint_path: Path, tmp_path: Path) -> None:
    evaluation = running.run(
        [sys.executable, str(ROOT / "play.py"), str(cartpole_checkpoint_path), "--episodes", "2", "--json"],
        stdout=(tmp_path / "scores.json").open("w"),
        check=True,
    )
    assert evaluation.returncode == 0
    run("publish", cartpole_checkpoint_path, "pole.safetensors", "--evaluation", "scores.json", folder=tmp_path)
    done = run("export", "pole.safetensors", "--hub", "pole", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("hf upload NAME/pole pole\n")
    names = {path.name for path in (tmp_path / "pole").iterdir()}
    assert names == {"README.md", "config.json", "model.safetensors", "replay.mp4"}
    assert json.loads((tmp_path / "pole/config.json").read_text())["game"] == "cartpole"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give either a file that ends in .onnx or --hub FOLDER."),
        (("agent.onnx", "--hub", "x"), "give either a file that ends in .onnx or --hub FOLDER."),
        (("agent.pt",), "agent.pt does not end in .onnx: give the file such a name."),
        (("--hub", "x"), "is no published model: publish it first, python -m breakout_a3c publish --help."),
        (("missing/agent.onnx",), "there is no folder missing: make it, or give another."),
    ],
)
def test_a_mistake_is_a_sentence(
    checkpoint_path: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = run("export", checkpoint_path, *arguments, folder=tmp_path)
    assert done.returncode == BAD_INPUT
    assert done.stderr.startswith("-m breakout_a3c export: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
