"""Randomness that can be repeated."""

import random
from pathlib import Path

import pytest

from tests.torture.effort import MINUTES, SEED
from tests.torture.programs import Programs


def pytest_report_header() -> str:
    return f"torture: SEED={SEED} MINUTES={MINUTES:g}"


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of this test alone, so that it fails alike without the others."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def programs(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Programs:
    """The programs, started in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    return Programs(capfd, monkeypatch)
