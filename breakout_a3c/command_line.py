"""What all commands have in common on the command line."""

import argparse
import errno
import inspect
import io
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, NoReturn, get_args

from breakout_a3c.called import is_installed
from breakout_a3c.config import OTHER_GAMES, SETTINGS, TrainConfig, option_name
from breakout_a3c.dependencies import dependency_trouble
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import REGISTERED_FOR, load_extension
from breakout_a3c.interrupts import interrupts_remembered

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # of a disk, in a user's quota, in a file
# torch reads both. Batch systems set them to the cores of a job, and each of 8 processes would have 8 threads; only the
# learner of a2c computes on several cores, and sets that itself.
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
LOOPBACK = "127.0.0.1"
EXIT_NOT_PRINTED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence on stderr."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=32),
            **({"prog": program_name()} | settings),
        )

    def error(self, message: str) -> NoReturn:
        """Print the mistake and where help is, and exit with code 2."""
        self.exit(
            EXIT_BAD_INPUT, f"{self.prog}: {message}: see {'' if is_installed() else 'python '}{self.prog} --help.\n"
        )


def program_name() -> str:
    """Return how this program was called, such as ``train.py`` or ``-m breakout_a3c train``."""
    return Path(sys.argv[0]).name


def run_program(program: Callable[[], int | None]) -> NoReturn:
    """Run ``program`` and exit with its code.

    A UserError is one sentence on stderr and code 2, and so is a package that is missing or broken.
    """
    open_closed_streams()
    for name in ONE_THREAD:
        os.environ[name] = "1"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does: a path may hold bytes that are no text
    code = 0
    try:
        with interrupts_remembered():
            code = program() or 0
    except UserError as error:
        print(f"{program_name()}: {error}", file=sys.stderr)
        code = EXIT_BAD_INPUT
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        pass  # the reader of our output has closed the pipe
    except Exception as error:
        trouble = dependency_trouble(error)
        if trouble is None:
            raise
        print(f"{program_name()}: {trouble}", file=sys.stderr)
        code = EXIT_BAD_INPUT
    sys.exit(flush_output() or code)


def flush_output() -> int:
    """Print what is still in the buffer; return the exit code if that fails, 0 if the reader has left."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with suppress(io.UnsupportedOperation):  # a notebook's stdout has no descriptor
            # Python would try again and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno not in NO_ROOM:
            return 0
        with suppress(OSError):
            print(f"{program_name()}: not all output was written: {error.strerror}.", file=sys.stderr)
        return EXIT_NOT_PRINTED
    return 0


def open_closed_streams() -> None:
    """Open stdin, stdout and stderr where the shell closed them: the next file would be printed into."""
    for descriptor, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode))


def add_config_options(parser: argparse.ArgumentParser, defaults: TrainConfig) -> None:
    """Add an option for each setting; one that is not given is absent from the result.

    Args:
        parser: Takes the options, in the groups of the config.
        defaults: What ``--help`` shows as the defaults.
    """
    groups = {
        spec.name: parser.add_argument_group(spec.name.replace("_", " "), inspect.getdoc(spec.type))
        for spec in fields(TrainConfig)
    }
    values = defaults.to_dict()
    for name, (group, spec) in SETTINGS.items():
        default = str(values[name]).lower()
        if defaults == TrainConfig() and OTHER_GAMES.get(name, values[name]) != values[name]:
            default += f"; games other than Breakout: {str(OTHER_GAMES[name]).lower()}"
        help = f"{spec.metadata['help']} [{default}]".replace("%", "%%")
        add_option(groups[group], name, spec, argparse.SUPPRESS if spec.metadata["hidden"] else help)


def add_option(group: argparse._ArgumentGroup, setting: str, spec: "Field[Any]", help: str) -> None:
    """Add the option of one setting."""
    name = option_name(setting)
    kinds = get_args(spec.type) or (spec.type,)
    if kinds == (bool,):
        group.add_argument(name, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=help)
    elif all(isinstance(kind, str) for kind in kinds):
        choices = (*kinds, *REGISTERED_FOR.get(setting, ()))
        group.add_argument(name, choices=choices, default=argparse.SUPPRESS, help=help)
    else:
        kind = next(kind for kind in kinds if kind is not type(None))
        parse = number_or_none(kind) if type(None) in kinds else number(kind)
        group.add_argument(name, type=parse, default=argparse.SUPPRESS, metavar=kind.__name__.upper(), help=help)


class RetiredOption(argparse.Action):
    """An option that has another name now."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Say the new name, and exit with code 2."""
        parser.exit(EXIT_BAD_INPUT, f"{parser.prog}: {self.option_strings[0]} is now {self.const}: use that.\n")


def add_retired_options(parser: argparse.ArgumentParser, renamed: Mapping[str, str]) -> None:
    """Have the options of settings that were renamed tell their new names.

    Args:
        parser: Takes the options, and leaves them out of its help.
        renamed: The old name of a setting, and the new one.
    """
    for old, new in renamed.items():
        parser.add_argument(
            option_name(old), action=RetiredOption, const=option_name(new), nargs="?", help=argparse.SUPPRESS
        )


class Import(argparse.Action):
    """An option whose file registers something, and does so at once: other options may name it."""

    def __call__(self, parser: argparse.ArgumentParser, options: object, value: Any, name: str | None = None) -> None:
        """Run the file."""
        load_extension(value)


def add_import_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for games, networks and reward rules of a user's own."""
    parser.add_argument(
        "--import",
        action=Import,
        metavar="FILE",
        help="a Python file that registers a game, a network or a reward rule of your own (docs/library.md)",
    )


def add_host_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that opens a page beyond this machine."""
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default=LOOPBACK,
        help="with --serve: an address of this machine to open the page to others, 0.0.0.0 for all; whoever has the "
        "random token in the printed address may watch and press buttons [this machine alone]",
    )


def require_page(options: argparse.Namespace) -> None:
    """Raise a UserError if the address of a page was given, and no page."""
    if options.host != LOOPBACK and not options.serve:
        raise UserError("--host is an address of the page: give it together with --serve.")


def number(kind: type) -> Callable[[str], Any]:
    """Return a parser of ``kind`` that takes 8e6 and 8_000_000 for whole numbers, too."""

    def parse(text: str) -> Any:
        if kind is int:
            value = float(text) if "e" in text.lower() else int(text)
            if not float(value).is_integer():  # nor inf and nan
                raise ValueError(text)
            return int(value)
        return kind(text)

    parse.__name__ = {"int": "whole number", "float": "number"}.get(kind.__name__, kind.__name__)
    return parse


def number_or_none(kind: type) -> Callable[[str], Any]:
    """Return a parser of ``kind`` that also takes the word none."""
    parse_number = number(kind)

    def parse(text: str) -> Any:
        return None if text.lower() == "none" else parse_number(text)

    parse.__name__ = parse_number.__name__
    return parse


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given on the command line, by their names."""
    return {name: value for name, value in vars(options).items() if name in SETTINGS}


def with_options(config: TrainConfig, options: argparse.Namespace) -> TrainConfig:
    """Return ``config`` with the settings that were given on the command line.

    Raises:
        UserError: If a value is out of range, or one was given that does nothing.
    """
    given = given_settings(options)
    config = config.replace_given(given)
    for name, fitting in config.without_effect().items():
        if name in given:
            raise UserError(f"{option_name(name)} does nothing without {fitting}: leave it out, or give both.")
    return config


def number_between(kind: type, low: float, high: float) -> Callable[[str], Any]:
    """Return a parser of numbers from ``low`` to ``high``."""
    parse_number = number(kind)

    def parse(text: str) -> Any:
        value = parse_number(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    parse.__name__ = parse_number.__name__
    return parse
