from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.playing.evaluation import EvaluationResult, Protocol
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint
from breakout_a3c.saving.run_folder import RunFolder
from breakout_a3c.training import evaluations as evaluations_module
from breakout_a3c.training.evaluations import Evaluations
from breakout_a3c.training.evaluator import Evaluation
from breakout_a3c.training.metrics import MetricsWriter
from tests.saving.test_checkpoints import small_checkpoint


class FakeEvaluator:
    """Evaluates what it is asked to as soon as the test says so."""

    def __init__(self) -> None:
        self.busy = False
        self.error = ""
        self.requests: list[tuple[Tensor, bool]] = []
        self.at_once: float | None = None  # the score with which the next request ends at once
        self._result: Evaluation | None = None

    def request(self, parameters: Tensor, hurry: bool) -> bool:
        if self.busy or self.error:
            return False
        self.requests.append((parameters, hurry))
        self.busy = True
        if self.at_once is not None:
            self.end(self.at_once)
        return True

    def end(self, *scores: float) -> None:
        games = [FinishedGame(score, 30, False) for score in scores]
        self._result = Evaluation(EvaluationResult(Protocol(episodes=len(games)), games, 1), b"GIF89a", 0.05)

    def poll(self) -> Evaluation | None:
        result, self._result = self._result, None
        self.busy = self.busy and result is None
        return result

    def close(self) -> None:
        self.busy, self._result = False, None


class Fixture:
    """Evaluations of a run in a folder, by a fake evaluator."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.evaluator = FakeEvaluator()
        self.folder = RunFolder(root / "checkpoints", "small")
        self.said: list[str] = []
        self._writer = MetricsWriter(root / "runs", PRESETS["cartpole"], 0)
        self.evaluations = Evaluations(self.evaluator, self.folder, self._writer, self.said.append)  # type: ignore[arg-type]

    def evaluate(self, checkpoint: Checkpoint, *scores: float) -> None:
        self.evaluations.request(checkpoint)
        self.evaluator.end(*scores)
        assert self.evaluations.take()

    def best(self) -> Checkpoint:
        return load_checkpoint(self.folder.best_path)

    def close(self) -> None:
        self._writer.close()
        self.folder.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Fixture]:
    fixture = Fixture(tmp_path)
    yield fixture
    fixture.close()


def test_a_snapshot_is_evaluated_shown_and_kept(run: Fixture) -> None:
    checkpoint = replace(small_checkpoint(1000), minutes=2.5)
    run.evaluations.request(checkpoint)
    ((parameters, hurry),) = run.evaluator.requests
    assert torch.equal(parameters, checkpoint.averaged_parameters), "those that play"
    assert not hurry
    assert not run.evaluations.take(), "it has not ended"
    assert run.evaluations.last_mean is None
    run.evaluator.end(3.0, 6.0)
    assert run.evaluations.take()
    assert not run.evaluations.take(), "once"
    assert run.said == ["Evaluation after 2.5 minutes: mean score 4.5 of 2 games."]
    assert (run.evaluations.last_mean, run.evaluations.best_mean, run.best().best_evaluation) == (4.5, 4.5, 4.5)
    assert torch.equal(run.best().parameters, checkpoint.parameters)
    run.close()
    events = EventAccumulator(str(run.root / "runs"), size_guidance={"images": 0})
    events.Reload()
    assert [(point.step, point.value) for point in events.Scalars("eval/mean_reward")] == [(1000, 4.5)]
    assert events.Images("eval/game")[0].encoded_image_string == b"GIF89a"


def test_only_a_better_evaluation_replaces_the_best(run: Fixture) -> None:
    for steps, score, best in ((1000, 5.0, 1000), (2000, 4.0, 1000), (3000, 5.0, 1000), (4000, 5.5, 4000)):
        run.evaluate(small_checkpoint(steps), score)
        assert run.evaluations.last_mean == score
        assert run.best().steps == best
    assert run.evaluations.best_mean == 5.5


def test_the_best_of_an_earlier_process_counts(run: Fixture) -> None:
    run.evaluate(small_checkpoint(1000), 5.0)
    run.close()
    resumed = Fixture(run.root)
    assert (resumed.evaluations.best_mean, resumed.evaluations.last_mean) == (5.0, None)
    resumed.evaluate(small_checkpoint(2000), 4.0)
    assert resumed.best().steps == 1000
    resumed.close()


def test_a_second_request_does_not_change_what_is_under_evaluation(run: Fixture) -> None:
    run.evaluations.request(small_checkpoint(1000))
    run.evaluations.request(small_checkpoint(2000))
    assert len(run.evaluator.requests) == 1
    run.evaluator.end(5.0)
    assert run.evaluations.take()
    assert run.best().steps == 1000


def test_a_folder_that_cannot_be_written_costs_the_best_checkpoint_alone(run: Fixture) -> None:
    (run.folder.path / ".lock").unlink()
    run.folder.path.rmdir()
    run.folder.path.touch()
    run.evaluate(small_checkpoint(1000), 5.0)
    assert run.said[0].startswith("Evaluation after")
    assert run.said[1].startswith("best.pt was NOT written: ")
    assert (run.evaluations.last_mean, run.evaluations.best_mean) == (5.0, None)
    run.folder.path.unlink()
    run.evaluate(small_checkpoint(2000), 4.0)
    assert (run.evaluations.best_mean, run.best().steps) == (4.0, 2000), "the best of those that were kept"


def test_parameters_that_are_not_finite_are_not_kept(run: Fixture) -> None:
    run.evaluate(replace(small_checkpoint(), parameters=torch.full((500,), torch.nan)), 5.0)
    assert run.said[1] == "best.pt was NOT written: the parameters are not finite, so best.pt was not written"
    assert not run.folder.best_path.exists()


def test_the_last_parameters_are_evaluated_in_a_hurry_after_what_has_ended(run: Fixture) -> None:
    run.evaluations.request(small_checkpoint(1000))
    run.evaluator.end(9.0)
    run.evaluator.at_once = 7.0
    last = small_checkpoint(2000)
    run.evaluations.evaluate_last(last, interrupted=lambda: False)
    parameters, hurry = run.evaluator.requests[-1]
    assert torch.equal(parameters, last.averaged_parameters)
    assert hurry
    assert [said.partition(":")[0] for said in run.said] == [
        "Evaluating the last parameters; Ctrl-C skips it.", "Evaluation after 1.5 minutes",
        "Evaluation after 1.5 minutes",
    ]  # fmt: skip
    assert run.evaluations.last_mean == 7.0
    assert run.best().steps == 1000, "the earlier one played better"


def test_the_last_parameters_wait_for_no_evaluation_that_is_under_way(run: Fixture) -> None:
    run.evaluations.request(small_checkpoint(1000))
    run.evaluator.at_once = 7.0
    run.evaluations.evaluate_last(small_checkpoint(2000), interrupted=lambda: False)
    assert len(run.evaluator.requests) == 2
    assert run.best().steps == 2000


def test_an_interrupted_last_evaluation_is_no_error(run: Fixture) -> None:
    answers = iter([False, False, True, True])
    run.evaluations.evaluate_last(small_checkpoint(), interrupted=lambda: next(answers))
    assert run.said == ["Evaluating the last parameters; Ctrl-C skips it."]
    assert next(answers, None) is None, "it was asked while it waited"


@pytest.mark.parametrize(
    ("error", "why"), [("it could not be started", "it could not be started"), ("", "it takes more than 0 s")]
)
def test_last_parameters_that_could_not_be_evaluated_are_an_error(
    run: Fixture, error: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations_module, "LAST_EVALUATION_SECONDS", 0.0)
    run.evaluator.error = error
    run.evaluations.evaluate_last(small_checkpoint(), interrupted=lambda: False)
    assert run.said[1:] == [f"The last parameters were NOT evaluated: {why}"]
    assert run.evaluations.best_mean is None
