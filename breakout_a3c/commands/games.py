"""List the games."""

import textwrap

from breakout_a3c.command_line import Parser
from breakout_a3c.config import CARTPOLE
from breakout_a3c.games.names import atari_games

WIDTH = 79  # characters


def main() -> int:
    """Print the names that ``--game`` takes."""
    Parser(description="List the names that train.py --game takes.").parse_args()
    names = atari_games()
    print(f"{len(names)} Atari games of ale-py:\n{textwrap.fill(', '.join(names), WIDTH)}")
    print(f"Beside them: --preset {CARTPOLE}.")
    return 0
