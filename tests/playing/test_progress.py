"""The progress of games on stderr: a bar on a terminal, otherwise a line now and then."""

import sys
import time

import pytest

from breakout_a3c.playing import progress as module
from breakout_a3c.playing.progress import LINE_SECONDS, progress


def test_without_a_terminal_a_line_is_printed_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    with progress("evaluating", 10) as show:
        for game in range(10):
            now = 0.3 * game * LINE_SECONDS
            show(game, f"mean {game}.5")
    monkeypatch.undo()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [f"evaluating: {game} of 10 games, mean {game}.5" for game in (4, 7)]


def test_a_silent_progress_prints_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_SECONDS", 0.0)
    with progress("evaluating", 10, silent=True) as show:
        show(3, "mean 1.5")
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_a_bar_shows_the_games(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with progress("recording", 10) as show:
        show(3, "score 12")
        time.sleep(0.3)  # the bar is drawn ten times a second
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "recording" in captured.err
    assert "3/10" in captured.err
    assert "score 12" in captured.err
