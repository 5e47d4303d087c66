"""How a benchmark is called."""

import argparse
import shlex
import sys
from pathlib import Path


def program_name() -> str:
    """Return how this program was called, such as ``python -m benchmarks.speed.throughput``."""
    spec = sys.modules["__main__"].__spec__
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec else f"python {Path(sys.argv[0]).name}"


def command_line() -> str:
    """Return the command that started this program, as it is typed."""
    return " ".join([program_name(), *map(shlex.quote, sys.argv[1:])])


def make_parser(description: str | None, epilog: str | None = None) -> argparse.ArgumentParser:
    """Return a parser whose help shows a program's docstring as it is written."""
    return argparse.ArgumentParser(
        prog=program_name(),
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_draw_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--draw``."""
    parser.add_argument(
        "--draw", action="store_true", help="run nothing: print the table and draw the picture of what is kept"
    )
