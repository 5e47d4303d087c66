"""The names of the games: those that ale-py has for one player, and how other libraries spell them."""

import difflib
import re
from contextlib import redirect_stdout
from pathlib import Path

from ale_py import roms

from breakout_a3c.called import called
from breakout_a3c.config import CARTPOLE
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import GAMES

NO_SINGLE_PLAYER = {"combat", "joust", "maze_craze", "warlords"}
# What gym and gymnasium put around a game: ALE/Pong-v5, Pong-ramDeterministic-v4, PongNoFrameskip-v4.
AROUND_A_NAME = re.compile(r"^.*/|(-ram)?(Deterministic|NoFrameskip)?(-v\d+)?$", re.IGNORECASE)
MOST_SUGGESTED = 3


def atari_games() -> list[str]:
    """Return the names of the games that one player can play, from the ROMs inside ale-py."""
    return sorted(set(roms.get_all_rom_ids()) - NO_SINGLE_PLAYER)


def check_game(name: str) -> None:
    """Raise a UserError that names the nearest game, unless there is one called ``name``."""
    if name != CARTPOLE and name not in GAMES:
        rom_path(name)


def rom_path(game: str) -> Path:
    """Return where ale-py keeps a game.

    Raises:
        UserError: With the nearest name, unless ale-py has ``game`` for one player.
    """
    if game not in atari_games():
        raise UserError(not_a_game(game))
    try:
        with redirect_stdout(None):  # it prints each path where ALE_ROMS_DIR is set
            path = roms.get_rom_path(game)
    except OSError as error:
        raise UserError(
            f"the ROM of {game} is missing or damaged: install ale-py again, and unset ALE_ROMS_DIR."
        ) from error
    assert path is not None, "it is one of the ROMs"
    return path


def not_a_game(name: str) -> str:
    """Return the sentence for a name that is not a game's."""
    near = near_names(name)
    if not near:
        return f"ale-py has no game called {name!r:.50}: {called('games')} lists them, and --import FILE adds your own."
    if near[0] in NO_SINGLE_PLAYER:
        return f"{near[0]} has no mode for a single player: choose another game."
    suggested = " or ".join("--preset cartpole" if game == CARTPOLE else game for game in near)
    return f"ale-py has no game called {name!r:.50}: did you mean {suggested}?"


def near_names(name: str) -> list[str]:
    """Return the games that a mistyped name, a gym id or a title may stand for, the likeliest first."""
    games = {letters(game): game for game in [*atari_games(), *NO_SINGLE_PLAYER, CARTPOLE]}
    wanted = letters(AROUND_A_NAME.sub("", name))
    if wanted in games:
        return [games[wanted]]
    begun = [game for other, game in sorted(games.items()) if wanted and other.startswith(wanted)]
    if begun:
        return begun[:MOST_SUGGESTED]
    return [games[other] for other in difflib.get_close_matches(wanted, games, n=1)]


def letters(name: str) -> str:
    """Return the letters and digits of a name in lower case."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
