"""All programs under one name: ``python -m breakout_a3c train | play | games | curves | publish | export``."""

import sys
from importlib import import_module

from breakout_a3c.called import INSTALLED, called, is_installed
from breakout_a3c.launch import launch

COMMANDS = {
    "train": "train an agent, or go on with a training",
    "play": "watch an agent play, record it, or evaluate it",
    "games": "list the games",
    "curves": "draw the learning curves of runs into a PNG",
    "publish": "publish a checkpoint as a model",
    "export": "export a model to other programs: ONNX, a model hub",
}
MODULE = "-m breakout_a3c"  # as the user typed it after python; messages begin with argv[0]


def main() -> "int | None":
    """Run the command that the first argument names; return its exit code."""
    from breakout_a3c.command_line import EXIT_BAD_INPUT  # an older Python cannot read that file

    name = INSTALLED if is_installed() else MODULE
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in ("-h", "--help"):
        print(usage())
        return 0
    if command not in COMMANDS:
        mistake = f"there is no command {command!r}" if command else "no command was given"
        print(f"{name}: {mistake}: give one of {', '.join(COMMANDS)}.", file=sys.stderr)
        return EXIT_BAD_INPUT
    sys.argv[:2] = [f"{name} {command}"]
    code: int | None = import_module(f"breakout_a3c.commands.{command}").main()
    return code


def usage() -> str:
    """Return the help text."""
    listed = "\n".join(f"  {name:<9}{purpose}" for name, purpose in COMMANDS.items())
    name = called("COMMAND")
    return f"usage: {name} ...\n\n{listed}\n\n{name} --help shows the options of a command."


def run() -> None:
    """Run as a program; an installation's command on the path calls this."""
    launch(f"{__package__}.__main__")


if __name__ == "__main__":
    sys.argv[0] = MODULE
    run()
