"""Those benchmarks that can be tried on very little still run."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import a2c_faults, compare, extensions, time_to_score
from breakout_a3c.learning import actor_learner, rollout
from breakout_a3c.processes.start import process_context


@pytest.mark.parametrize("name", a2c_faults.CASES)
def test_every_fault_of_the_a2c_can_be_put_back(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor_learner, "actor_critic_losses", actor_learner.actor_critic_losses)
    monkeypatch.setattr(rollout, "PART_STEPS", rollout.PART_STEPS)
    loss, config = a2c_faults.CASES[name]
    scores = a2c_faults.learn(loss, config.replace(total_steps=2000))
    assert len(scores) > 10, "each of its 40 games has some 22 steps"


def test_methods_are_compared_kept_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = {"A3C": compare.CARTPOLE["A3C, 1 actor-learner"]}
    monkeypatch.setattr(compare, "GAMES", {"cartpole": (methods, 0.1, [*compare.ANNEALED, "0.1"])})
    monkeypatch.setattr(sys, "argv", ["compare.py", "--seeds", "1", "--output", str(tmp_path)])
    compare.main()
    (curve,) = json.loads((tmp_path / "compare-cartpole.json").read_text())["runs"]["A3C"].values()
    assert curve["minutes"][-1] <= 0.2
    assert len(curve["steps"]) == len(curve["scores"]) > 1
    assert (tmp_path / "compare-cartpole.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    compare.main()
    assert "seed 1" not in capsys.readouterr().out, "what is done is not done again"


def test_the_first_time_of_a_score_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run = {"minutes": [0.1, 0.2, 0.4], "steps": [1000, 2000, 4000], "scores": [10.0, 480.0, 470.0]}
    assert compare.first_time(run, 475) == (0.2, 2000)
    assert compare.first_time(run, 500) is None
    compare.print_table({"A3C": [run, run | {"scores": [1.0, 2.0, 3.0]}]}, 475)
    assert "| A3C | 12, - | 2, - | 470, 3 | 167 |" in capsys.readouterr().out


def test_the_time_to_a_score_is_that_of_the_first_snapshot_that_reaches_it(tmp_path: Path) -> None:
    means = [(1.0, 10, 90.0), (2.0, 20, 101.0), (3.0, 30, 99.0), (4.0, 40, 210.0)]
    snapshots = [{"minutes": m, "steps": s, "mean": mean, "standard_error": 3.0} for m, s, mean in means]
    result = {"seed": 1, "snapshots": snapshots}
    assert [time_to_score.first_crossing(result, target) for target in (100, 200, 300)] == [(2.0, 20), (4.0, 40), None]
    time_to_score.draw([result], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_training_that_was_stopped_goes_on_where_it_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    snapshot = tmp_path / "work" / "checkpoints" / "seed-2" / "step_000000001000.pt"

    class Training:
        def __init__(self, command: list[str], **_: object) -> None:
            commands.append(command)
            self.waits = 0

        def wait(self) -> int:
            self.waits += 1
            if len(commands) == 1 and self.waits == 1:
                raise KeyboardInterrupt
            if len(commands) == 1:
                snapshot.parent.mkdir(parents=True)
                snapshot.touch()
            return 0

    monkeypatch.setattr(time_to_score, "emulator_speed", lambda context: 100.0 + 10 * len(commands))
    monkeypatch.setattr(time_to_score, "describe_machine", dict)
    monkeypatch.setattr(time_to_score.subprocess, "Popen", Training)

    def run_seed() -> dict[str, Any]:
        context = process_context("forkserver")
        return time_to_score.run_seed(context, 2, ["--threads", "4"], tmp_path / "work", tmp_path)

    with pytest.raises(KeyboardInterrupt):
        run_seed()
    for _ in range(2):
        result = run_seed()
    first, second = commands  # what is done is not done again
    assert "--resume" not in first
    assert first[first.index("--threads") + 1] == "4"
    assert (time_to_score.HERE.parent / second[second.index("--resume") + 1]).resolve() == snapshot
    assert result["emulator_steps_per_second"] == [100, 110, 120]
    assert time_to_score.drifted(result)


def test_the_curve_of_a_training_is_read_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "seed-1.log"
    log.write_text(
        "Training breakout by A3C with 8 actor-learners x 16 games.\n"
        "  0.0%  0 steps  0.0 min  time left -  0 steps/s  score - (best -)  entropy -  checkpoint 0.0 min ago\n"
        "  1.7%  84,976 steps  1.0 min  47 min left  1,731 steps/s  score 2.3 (best 7.0)  entropy 1.013\n"
        "100.0%  5,000,384 steps  51.2 min  0 s left  1,637 steps/s  score 391.6 (best 864.0)  entropy 0.500\n"
    )
    minutes, steps, scores = extensions.read_log(log)
    assert minutes.tolist() == [1.0, 51.2]
    assert steps.tolist() == [84_976, 5_000_384]
    assert scores.tolist() == [2.3, 391.6]
    extensions.draw({"A3C": [log, log], "A2C": [log]}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
