import json
import sys
from pathlib import Path

import pytest

from benchmarks.learning import compare


def test_methods_are_compared_kept_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = {"A3C": compare.CARTPOLE["A3C, 1 actor-learner"]}
    monkeypatch.setattr(compare, "GAMES", {"cartpole": (methods, 0.1, [*compare.ANNEALED, "0.1"])})
    monkeypatch.setattr(sys, "argv", ["compare.py", "--seeds", "1", "--output", str(tmp_path)])
    compare.main()
    (curve,) = json.loads((tmp_path / "cartpole.json").read_text())["runs"]["A3C"].values()
    assert curve["minutes"][-1] <= 0.2
    assert len(curve["steps"]) == len(curve["scores"]) > 1
    assert (tmp_path / "cartpole.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    compare.main()
    assert "seed 1" not in capsys.readouterr().out, "what is done is not done again"


def test_what_is_kept_is_drawn_without_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = {"minutes": [0.1, 0.2], "steps": [1000, 2000], "scores": [10.0, 480.0]}
    result = {"runs": {name: {"1": run} for name in compare.CARTPOLE}}
    (tmp_path / "cartpole.json").write_text(json.dumps(result))
    monkeypatch.setattr(compare, "run", lambda *_: pytest.fail("a training was started"))
    monkeypatch.setattr(sys, "argv", ["compare.py", "--draw", "--output", str(tmp_path)])
    compare.main()
    assert (tmp_path / "cartpole.png").read_bytes().startswith(b"\x89PNG")


def test_the_first_time_of_a_score_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run = {"minutes": [0.1, 0.2, 0.4], "steps": [1000, 2000, 4000], "scores": [10.0, 480.0, 470.0]}
    assert compare.first_time(run, 475) == (0.2, 2000)
    assert compare.first_time(run, 500) is None
    compare.print_table({"A3C": [run, run | {"scores": [1.0, 2.0, 3.0]}]}, 475)
    assert "| A3C | 12, - | 2, - | 470, 3 | 167 |" in capsys.readouterr().out
