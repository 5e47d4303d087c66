import math
import time
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest
import torch

from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning import reports
from breakout_a3c.learning.losses import Losses
from breakout_a3c.learning.reports import (
    LearnerFailure,
    LearnerReport,
    ReportSender,
    RunningMeans,
    UpdateMeasures,
    explained_variance,
)
from breakout_a3c.learning.step_limits import PolicyChange
from breakout_a3c.processes.pipes import Inbox

GAME = FinishedGame(7.0, 300, False)
CHANGE = PolicyChange(kl=0.25, value=0.5)
ADVANTAGES, RETURNS = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 5.0]])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "SEND_SECONDS", 0.0)


def measures_of(value: float, change: PolicyChange | None = CHANGE) -> UpdateMeasures:
    losses = Losses(*(torch.tensor(value) for _ in range(5)))
    return UpdateMeasures.of_update(losses, value, change, staleness=3)


def add(sender: ReportSender, value: float = 1.0, pushed: bool = True, games: int = 0) -> None:
    sender.add(measures_of(value) if pushed else None, ADVANTAGES, RETURNS, [GAME] * games)


def received(reader: Connection) -> list[LearnerReport]:
    inbox, messages = Inbox(reader), []
    with suppress(EOFError):
        while isinstance(message := inbox.receive(), LearnerReport):
            messages.append(message)
    return messages


def test_the_measures_of_an_update_are_plain_numbers_by_their_names() -> None:
    losses = Losses(*map(torch.tensor, (9.0, 1.0, 2.0, 3.0, 4.0)))
    measures = UpdateMeasures.of_update(losses, 5.0, PolicyChange(kl=6.0, value=7.0), staleness=8)
    expected = {
        "policy_loss": 1.0, "value_loss": 2.0, "entropy": 3.0, "max_probability": 4.0, "grad_norm": 5.0, "kl": 6.0,
        "value_change": 7.0, "staleness": 8, "explained_variance": None,
    }  # fmt: skip
    assert asdict(measures) == expected


def test_what_was_not_measured_is_none() -> None:
    measures = measures_of(1.0, change=None)
    assert measures.kl is measures.value_change is None
    means = RunningMeans()
    assert means.means() == UpdateMeasures()
    means.add(measures)
    assert means.means() == measures


def test_means_are_over_the_updates() -> None:
    means = RunningMeans()
    for value in (1.0, 2.0, 6.0):
        means.add(measures_of(value))
    assert means.means().entropy == pytest.approx(3.0)
    means.add(UpdateMeasures(entropy=7.0), updates=5)  # the means of a report
    assert means.means().entropy == pytest.approx((1 + 2 + 6 + 5 * 7) / 8)
    assert means.means().grad_norm == pytest.approx(3.0), "over the updates that measured it"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_in_no_mean(value: float) -> None:
    means = RunningMeans()
    means.add(UpdateMeasures(grad_norm=2.0, entropy=1.0))
    means.add(UpdateMeasures(grad_norm=value, entropy=3.0))
    assert means.means() == UpdateMeasures(grad_norm=2.0, entropy=2.0)


def test_a_report_tells_of_updates_and_games() -> None:
    reader, writer = Pipe(duplex=False)
    sender = ReportSender(4, writer)
    add(sender, 2.0, games=1)
    (report,) = received(reader)
    assert report.learner_id == 4
    assert report.games == [GAME]
    assert report.updates == 1
    assert (report.measures.value_loss, report.measures.kl, report.measures.value_change) == (2.0, 0.25, 0.5)
    assert report.measures.staleness == 3
    # Var(R - V) = 1/4, Var(R) = 4.
    assert report.measures.explained_variance == pytest.approx(1 - 0.25 / 4)


def test_a_report_of_no_update_has_no_measures() -> None:
    reader, writer = Pipe(duplex=False)
    add(ReportSender(4, writer), pushed=False)
    (report,) = received(reader)
    assert (report.measures, report.updates, report.updates_not_finite) == (UpdateMeasures(), 0, 1)


def test_a_failure_is_told_with_its_traceback() -> None:
    reader, writer = Pipe(duplex=False)
    ReportSender(3, writer).fail("Traceback: " + 10_000 * "x")
    failure = Inbox(reader).receive()
    assert failure == LearnerFailure(3, "Traceback: " + 10_000 * "x")


def test_explained_variance_of_constant_returns_is_not_a_number() -> None:
    assert math.isnan(explained_variance(torch.zeros(3), torch.ones(3)))


def test_a_full_pipe_drops_statistics_and_counts_them_but_keeps_games() -> None:
    reader, writer = Pipe(duplex=False)
    sender = ReportSender(0, writer)
    for _ in range(2000):  # a pipe takes 64 KiB
        add(sender, games=1)
    add(sender, pushed=False)
    began = time.monotonic()
    add(sender)
    assert time.monotonic() - began < 1, "it waits for nobody"
    reports_so_far = received(reader)
    for _ in range(200):
        add(sender)
        reports_so_far += received(reader)
    games = sum(len(report.games) for report in reports_so_far)
    assert games == 2000
    dropped = sum(report.reports_dropped for report in reports_so_far)
    assert dropped == 2202 - len(reports_so_far), "each report that did not go through is counted once"
    assert sum(report.updates_not_finite for report in reports_so_far) == 1


def test_closing_sends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "SEND_SECONDS", 1e9)
    reader, writer = Pipe(duplex=False)
    sender = ReportSender(0, writer)
    add(sender, games=100)
    sender.close(b"where they stand")
    (report,) = received(reader)
    assert len(report.games) == 100
    assert report.updates == 1
    assert report.play_state == b"where they stand"
