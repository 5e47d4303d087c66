"""A configuration as a file for people: TOML, with a table for each group of settings."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from breakout_a3c.called import called
from breakout_a3c.config import SETTINGS, TrainConfig, check_value, is_plain
from breakout_a3c.errors import UserError
from breakout_a3c.saving.files import write_atomically
from breakout_a3c.saving.retired_settings import RETIRED_TABLE, renamed

FILE_NAME = "config.toml"
MAX_BYTES = 1 << 16
MAX_LINE = 1_000  # characters: tomllib takes memory with the square of a key's dots
NONE = "none"  # TOML has no null


def write_config(config: TrainConfig, path: Path) -> None:
    """Write all settings to ``path``, atomically.

    Raises:
        OSError: If the folder cannot be written.
    """
    values = config.to_dict()
    lines: list[str] = []
    for name, (group, _) in SETTINGS.items():
        if f"[{group}]" not in lines:
            lines += ["", f"[{group}]"]
        lines.append(f"{name} = {json.dumps(NONE if values[name] is None else values[name])}")
    text = f"# {called('train')} --config FILE starts a training with these settings.\n" + "\n".join(lines) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text))


def read_config(path: Path, base: TrainConfig, given: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read the settings in ``path``; those that it leaves out are as in ``base``.

    Args:
        path: Of the file.
        base: What another game, named by the file or by ``given``, replaces in part: never what the file holds.
        given: Settings that replace those of the file.

    Raises:
        UserError: If the file cannot be read, or holds an unknown setting or a value out of range.
    """
    given = given or {}
    for name, value in given.items():
        check_value(SETTINGS[name][1], value)  # here, as it is no mistake of the file
    settings = read_settings(path)
    try:
        return base.replace_given(settings | dict(given))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings in ``path`` by their names of today.

    Raises:
        UserError: If the file cannot be read, or holds an unknown setting.
    """
    settings: dict[str, Any] = {}
    for group, table in read_tables(path).items():
        if not isinstance(table, dict):
            raise UserError(f"{path}: {group!r:.50} stands outside of a table: write it below a line such as [game].")
        for name, value in table.items():
            if name in SETTINGS and group not in (SETTINGS[name][0], RETIRED_TABLE):
                raise UserError(f"{path}: {name} stands in [{group:.50}]: move it to [{SETTINGS[name][0]}].")
            settings[name] = None if value == NONE else value
    for name, value in settings.items():
        if not is_plain(value):
            raise UserError(f"{path}: {name!r:.50} has a value that no setting has: see {called('train')} --help.")
    settings = renamed(settings)
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        raise UserError(f"{path} has no setting that is called {unknown[0]!r:.50}: see {called('train')} --help.")
    return settings


def read_tables(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises:
        UserError: If it is missing, no TOML, or larger than any configuration.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UserError(f"{path} is larger than any configuration: give the path of another one.")
        text = content.decode()
        if max(map(len, text.splitlines()), default=0) > MAX_LINE:
            raise UserError(f"{path} has a longer line than any configuration: give the path of another one.")
        return tomllib.loads(text)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give the path of a config.toml.") from error
    except (ValueError, RecursionError) as error:  # bad UTF-8, bad TOML, thousands of digits, thousands of brackets
        raise UserError(f"{path} is no TOML ({error!s:.100}): give the path of a config.toml.") from error
