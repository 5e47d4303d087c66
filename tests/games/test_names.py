"""The names of the games, and what a name that is none is answered."""

import os
import sys
from pathlib import Path

import ale_py
import gymnasium
import pytest

from breakout_a3c.commands import games as command
from breakout_a3c.errors import UserError
from breakout_a3c.games.names import NO_SINGLE_PLAYER, atari_games, check_game, near_names, rom_path
from tests.running import run

gymnasium.register_envs(ale_py)
GYM_IDS = {  # and the game of each; gymnasium still has those of v0, v4 and v5, gym had the others
    spec.id: str(spec.kwargs["game"])
    for spec in gymnasium.registry.values()
    if str(spec.entry_point).startswith("ale_py")
} | {
    f"Breakout{ram}{skip}-{version}": "breakout"
    for ram in ("", "-ram")
    for skip in ("", "Deterministic", "NoFrameskip")
    for version in ("v0", "v4", "v5")
}


def test_every_id_of_gym_and_gymnasium_gets_its_game() -> None:
    assert set(GYM_IDS.values()) == set(atari_games())
    assert {name: near_names(name) for name in GYM_IDS} == {name: [game] for name, game in GYM_IDS.items()}


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("BreakoutNoFrameskip-v4", "breakout"),
        ("ALE/MsPacman-v5", "ms_pacman"),
        ("brekout", "breakout"),
        ("Pong", "pong"),
        ("space-invaders", "space_invaders"),
        ("Space Invaders", "space_invaders"),
        ("spaceinvaders", "space_invaders"),
        ("montezuma", "montezuma_revenge"),
        ("Montezuma's Revenge", "montezuma_revenge"),
        ("Q*bert", "qbert"),
        ("space", "space_invaders or space_war"),
        ("CartPole-v1", "--preset cartpole"),
    ],
)
def test_a_name_that_is_none_gets_the_one_that_is_meant(wrong: str, near: str) -> None:
    with pytest.raises(UserError) as raised:
        check_game(wrong)
    assert str(raised.value) == f"ale-py has no game called {wrong!r}: did you mean {near}?"


@pytest.mark.parametrize("wrong", ["xyzzy", "", "-v5", "x" * 100_000])
def test_a_name_like_none_gets_the_way_to_the_list(wrong: str) -> None:
    with pytest.raises(
        UserError, match=r": python -m breakout_a3c games lists them, and --import FILE adds your own\.$"
    ) as raised:
        check_game(wrong)
    assert len(str(raised.value)) < 160


def test_the_list_has_every_game_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["games"])
    assert command.main() == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) < 80
    listed = printed.split(":")[1].replace("\n", " ").split(", ")
    assert [name.split()[0] for name in listed] == atari_games()
    for name in (*atari_games(), "cartpole"):
        check_game(name)


@pytest.mark.parametrize("game", [*sorted(NO_SINGLE_PLAYER), "ALE/Combat-v5"])
def test_games_for_two_are_refused(game: str) -> None:
    assert game not in atari_games()
    with pytest.raises(UserError, match=r"^\w+ has no mode for a single player"):
        check_game(game)


def test_the_roms_of_another_folder_are_not_told_on_stdout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALE_ROMS_DIR", str(rom_path("pong").parent))
    rom_path("pong")
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path))
    with pytest.raises(UserError, match="unset ALE_ROMS_DIR"):
        rom_path("pong")


def test_the_name_is_checked_before_torch_is_imported_and_before_the_run_is_named() -> None:
    code = (
        "import sys; sys.argv[1:] = ['--game', 'ALE/Pong-v5']; from breakout_a3c.commands import train\n"
        "try: train.main()\nexcept Exception as error: print(error, 'torch' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "ale-py has no game called 'ALE/Pong-v5': did you mean pong? False\n", done.stderr
