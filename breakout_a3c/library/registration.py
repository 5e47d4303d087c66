"""Registers games, networks and reward rules of a user's own: docs/library.md."""

from collections.abc import Callable
from typing import Any, get_args

from breakout_a3c.config import CARTPOLE, Network
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import GAMES, NETWORKS, REWARD_RULES, RewardRule
from breakout_a3c.games.names import NO_SINGLE_PLAYER, atari_games
from breakout_a3c.saving.run_names import RUN_NAME


def register_game(name: str, make: Callable[[], Any]) -> None:
    """Add a game, for ``--game NAME``.

    Args:
        name: Of the game: letters, digits, ``.``, ``-`` and ``_``.
        make: Builds a ``gymnasium.Env`` with discrete actions, whose observations are arrays. It may say what its
            actions do (``action_names``) and how many pictures are a second (``metadata["render_fps"]``), tell of lost
            lives (``info["life_lost"]``, ``info["lives"]``), and have ``state() -> dict[str, numpy.ndarray]`` and
            ``restore(state) -> observation``, without which its games begin anew where a training goes on.

    Raises:
        UserError: If the name is taken, or no name.
    """
    _register(GAMES, name, make, {CARTPOLE, *atari_games(), *NO_SINGLE_PLAYER})


def register_network(name: str, make: Callable[[tuple[int, ...]], Any]) -> None:
    """Add a network, for ``--network NAME``: the layers before the policy head and the value head.

    Args:
        name: Of the network: letters, digits, ``.``, ``-`` and ``_``.
        make: Takes the shape of one observation, the channels first, and returns a ``torch.nn.Module`` that maps
            ``(B, *shape)`` to features ``(B, F)``. An observation with three axes is a screen, whose pixels from 0 to
            255 come as numbers from 0 to 1. All that it learns is in its parameters: the processes share no buffers,
            as batch normalisation has them.

    Raises:
        UserError: If the name is taken, or no name.
    """
    _register(NETWORKS, name, make, set(get_args(Network)))


def register_reward_rule(name: str, rule: RewardRule) -> None:
    """Add a rule for the learner's rewards, for ``--reward-rule NAME``; scores stay those of the game.

    Args:
        name: Of the rule: letters, digits, ``.``, ``-`` and ``_``.
        rule: Takes the raw reward of a step, and whether the step cost a life; returns what the learner sees, in place
            of ``--clip-rewards`` and ``--life-loss-penalty``.

    Raises:
        UserError: If the name is taken, or no name.
    """
    _register(REWARD_RULES, name, rule, set())


def _register(registered: dict[str, Any], name: str, value: Any, taken: set[str]) -> None:
    """Add ``value`` under a name; one that a file registers again, as a cell of a notebook does, is replaced."""
    if RUN_NAME.fullmatch(name) is None:
        raise UserError(f"{name!r:.50} is no name: use letters, digits, '.', '_' and '-' only.")
    if name in taken:
        raise UserError(f"the program has something called {name}: choose another name.")
    if not callable(value):
        raise UserError(f"{name} is registered as {value!r:.50}: give a function.")
    registered[name] = value
