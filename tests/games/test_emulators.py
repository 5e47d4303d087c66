"""Emulators are taken by one game each, and those that are ready first."""

import importlib
from collections.abc import Iterator

import numpy as np
import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.games import emulators, preload
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.emulators import READY, make_ready, take_emulator


@pytest.fixture(autouse=True)
def nothing_ready() -> Iterator[None]:
    READY.clear()
    yield
    READY.clear()


def test_emulators_that_are_ready_are_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_ready("breakout", 2)
    ready = list(READY["breakout"])
    with monkeypatch.context() as patch:
        patch.setattr(emulators, "start_emulator", lambda game: pytest.fail("there are two"))
        taken = [take_emulator("breakout") for _ in range(2)]
    assert sorted(map(id, taken)) == sorted(map(id, ready))
    assert take_emulator("breakout") not in ready
    assert take_emulator("pong").getMinimalActionSet() != taken[0].getMinimalActionSet()


def test_a_game_is_the_same_on_an_emulator_that_was_ready() -> None:
    def play() -> list[bytes]:
        game = AtariGame(seed=4, sticky=0.25)
        game.reset()
        return [game.step(step % 3)[0].tobytes() for step in range(100)]

    fresh = play()
    make_ready("breakout", 1)
    assert play() == fresh


def test_an_unknown_game_is_named() -> None:
    with pytest.raises(UserError, match="breakoot"):
        take_emulator("breakoot")


@pytest.mark.parametrize(
    ("wanted", "ready"),
    [("breakout 3", 3), ("breakout 1000", preload.MOST), ("breakoot 3", 0), ("nothing", 0), (None, 0)],
)
def test_a_forkserver_makes_ready_what_it_can(wanted: str | None, ready: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORKSERVER_EMULATORS", raising=False)
    if wanted:
        monkeypatch.setenv("FORKSERVER_EMULATORS", wanted)
    importlib.reload(preload)
    assert len(READY["breakout"]) == ready


def test_starts_are_those_of_a_game_that_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    from collections import defaultdict

    from breakout_a3c.games import atari

    monkeypatch.setattr(atari, "STARTS", defaultdict(list))
    game = AtariGame(seed=0)
    screens = {}
    for noops in (7, 3, 12, 7):  # in any order
        game._start_after(noops)
        screens.setdefault(noops, game.render())
        assert np.array_equal(screens[noops], game.render())
        game.ale.reset_game()
        for _ in range(noops):
            game.ale.act(game.actions[0].__class__.NOOP)
        assert np.array_equal(screens[noops], game.render())
        assert game.ale.getEpisodeFrameNumber() == noops
