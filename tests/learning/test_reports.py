import math
import time
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest
import torch

from breakout_a3c.games.batch import FinishedGame
from breakout_a3c.learning import reports
from breakout_a3c.learning.losses import Losses
from breakout_a3c.learning.reports import LearnerReport, ReportSender, UpdateStatistics, explained_variance
from breakout_a3c.learning.step_limits import Change
from breakout_a3c.processes.pipes import Inbox

GAME = FinishedGame(7.0, 300, False)
ADVANTAGES, RETURNS = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 5.0]])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "SEND_SECONDS", 0.0)


def add(sender: ReportSender, value: float = 1.0, pushed: bool = True, games: int = 0) -> None:
    losses = Losses(*(torch.tensor(value) for _ in range(5)))
    sender.add(pushed, losses, value, Change(0.25, 0.5), 3, ADVANTAGES, RETURNS, [GAME] * games)


def received(reader: Connection) -> list[LearnerReport]:
    inbox, messages = Inbox(reader), []
    with suppress(EOFError):
        while isinstance(message := inbox.receive(), LearnerReport):
            messages.append(message)
    return messages


def test_means_are_over_the_updates_of_a_report() -> None:
    statistics = UpdateStatistics()
    for value in (1.0, 2.0, 6.0):
        statistics.add({"x": value})
    assert statistics.means == {"x": pytest.approx(3.0)}
    assert statistics.count == 3


def test_a_report_tells_of_updates_and_games() -> None:
    reader, writer = Pipe(duplex=False)
    sender = ReportSender(4, writer)
    add(sender, 2.0, games=1)
    (report,) = received(reader)
    assert report.learner_id == 4
    assert report.games == [GAME]
    assert report.statistics.means["train/value_loss"] == 2.0
    assert report.statistics.means["train/approx_kl"] == 0.25
    assert report.statistics.means["train/value_change"] == 0.5
    assert report.statistics.means["async/staleness_updates"] == 3
    # Var(R - V) = 1/4, Var(R) = 4.
    assert report.statistics.means["train/explained_variance"] == pytest.approx(1 - 0.25 / 4)


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
    told = [report.statistics for report in reports_so_far]
    dropped = sum(statistics.dropped for statistics in told)
    assert dropped == 2202 - len(told), "each report that did not go through is counted once"
    assert sum(statistics.not_finite for statistics in told) == 1


def test_closing_sends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "SEND_SECONDS", 1e9)
    reader, writer = Pipe(duplex=False)
    sender = ReportSender(0, writer)
    add(sender, games=100)
    sender.close(b"where they stand")
    (report,) = received(reader)
    assert len(report.games) == 100
    assert report.statistics.count == 1
    assert report.play_state == b"where they stand"
