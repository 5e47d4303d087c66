"""Each example runs as its first lines say."""

import json
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

import nbformat
import pytest
from nbclient import NotebookClient

from tests.running import marked_environment, run

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
TRIED_ELSEWHERE = {"own_game.py", "own_network.py", "own_reward.py"}  # tests/library/test_registration.py
SCORES = {"act.py": "score ", "play_in_gymnasium.py": "score ", "train_cartpole.py": "["}


def call(*arguments: object, folder: Path) -> CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, arguments)]
    return run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(
    "name", ["act.py", "play_in_gymnasium.py", pytest.param("train_cartpole.py", marks=pytest.mark.slow)]
)
def test_an_example_prints_scores(name: str, tmp_path: Path) -> None:
    last_line = call(EXAMPLES / name, folder=tmp_path).stdout.splitlines()[-1]
    assert last_line.startswith(SCORES[name])
    if name != "train_cartpole.py":
        assert int(last_line.split()[1]) > 200, "the published model has 671 points in whole games"


def test_plain_pytorch_says_what_the_package_says() -> None:
    import torch

    from breakout_a3c import load_agent

    done = call(EXAMPLES / "plain_pytorch.py", folder=ROOT)
    expected = load_agent("breakout").policy(torch.zeros(1, 84, 84, 4, dtype=torch.uint8))
    probabilities, value = eval(done.stdout, {"tensor": torch.tensor})
    assert probabilities[0].tolist() == pytest.approx(expected.probabilities[0].tolist(), abs=1e-3)
    assert value.item() == pytest.approx(expected.value.item(), abs=1e-2)


def test_onnxruntime_plays_alone(tmp_path: Path) -> None:
    model = ROOT / "models" / "breakout.safetensors"
    done = call("-m", "breakout_a3c", "export", model, "agent.onnx", folder=tmp_path)
    assert done.stderr == ""
    assert done.stdout.startswith("agent.onnx: ")
    assert done.stdout.endswith("Its actions 0, 1, ... are FIRE, RIGHT, LEFT.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["agent.onnx"]
    source = (EXAMPLES / "play_onnx.py").read_text()
    assert "torch" not in source
    assert "import breakout_a3c" not in source
    assert int(call(EXAMPLES / "play_onnx.py", folder=tmp_path).stdout.split()[-1]) > 200


@pytest.mark.slow
def test_the_notebook_trains_and_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (marked_environment() | {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=100, kernel_name="python3", resources=resources).execute()
    training, play = (cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert len(json.loads(training[-1].data["text/plain"])) == 5
    assert any("image/png" in output.get("data", {}) for output in training), "the curve"
    assert "image/gif" in play[-1].data


def test_every_example_is_tried() -> None:
    tried = {"play_onnx.py", "plain_pytorch.py", "notebook.ipynb", *SCORES, *TRIED_ELSEWHERE}
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == tried
