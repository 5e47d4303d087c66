"""Our environments under gymnasium's names, such as ``breakout_a3c/Breakout-v0``: one for each game.

gymnasium 1 looks for no entry points: it imports this by ``breakout_a3c.library.environments:breakout_a3c/Pong-v0``.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, registry

NAMESPACE = "breakout_a3c"


def register_environments() -> None:
    """Make all games known to ``gymnasium.make``; what is known already stays."""
    for game in game_names():
        spec = EnvSpec(id=f"{NAMESPACE}/{title(game)}-v0", entry_point=f"{__name__}:make_game", kwargs={"game": game})
        registry.setdefault(spec.id, spec)


def make_game(game: str, **settings: Any) -> gymnasium.Env[Any, Any]:
    """Build a game as the agents were trained on it: four gray frames, raw rewards, whole games.

    Args:
        game: As ale-py calls it.
        settings: Arguments of AtariGame, such as ``sticky=0.25``.
    """
    from breakout_a3c.games.atari import AtariGame

    return AtariGame(game, **settings)


def game_names() -> list[str]:
    """Return the games for one player, without importing ale-py, which imports gymnasium."""
    from breakout_a3c.games.names import NO_SINGLE_PLAYER

    spec = find_spec("ale_py")
    folders = spec.submodule_search_locations or [] if spec else []
    return sorted({path.stem for folder in folders for path in Path(folder, "roms").glob("*.bin")} - NO_SINGLE_PLAYER)


def title(game: str) -> str:
    """Return a name as gymnasium writes it, such as ``SpaceInvaders``."""
    return "".join(word.capitalize() for word in game.split("_"))


register_environments()
