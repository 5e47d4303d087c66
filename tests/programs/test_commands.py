"""All programs under one name: ``python -m breakout_a3c COMMAND``, as a user runs it."""

import json
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from breakout_a3c.__main__ import COMMANDS
from tests import running

ROOT = Path(__file__).parents[2]
BAD_INPUT = 2
GIVE_ONE = "give one of train, play, games, curves, publish, export."


def run(*arguments: object, folder: Path) -> CompletedProcess[str]:
    return running.run(
        [sys.executable, "-m", "breakout_a3c", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), f"-m breakout_a3c: no command was given: {GIVE_ONE}"),
        (("evaluate",), f"-m breakout_a3c: there is no command 'evaluate': {GIVE_ONE}"),
        (("--play",), f"-m breakout_a3c: there is no command '--play': {GIVE_ONE}"),
        (("curves",), "-m breakout_a3c curves: the following arguments are required: RUN: "),
        (("curves", "missing"), "-m breakout_a3c curves: there is no folder missing: "),
        (("curves", "missing", "--output", "x.jpg"), "-m breakout_a3c curves: --output is x.jpg: "),
        (("publish", "a.pt"), "-m breakout_a3c publish: the following arguments are required: model, --evaluation: "),
        (
            ("publish", "a.pt", "b.pt", "--evaluation", "c.json"),
            "-m breakout_a3c publish: b.pt does not end in .safetensors: ",
        ),
        (
            ("publish", "a.pt", "b.safetensors", "--evaluation", "c.json"),
            "-m breakout_a3c publish: there is no checkpoint at a.pt: ",
        ),
        (
            ("publish", __file__, "b.safetensors", "--evaluation", "c.json"),
            "-m breakout_a3c publish: the model was not written ([Errno 2] No such file or directory: 'c.json'): ",
        ),
        (("play", "--seconds", "5"), "-m breakout_a3c play: --seconds is the length of a recording: "),
        (("play", "missing.pt"), "-m breakout_a3c play: there is no checkpoint at missing.pt: "),
        (("train", "--threads", "0"), "-m breakout_a3c train: --threads is 0: "),
        (("train", "--colour"), "-m breakout_a3c train: unrecognized arguments: --colour: "),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_sentence_that_names_the_program_and_code_2(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == BAD_INPUT
    assert done.stdout == ""
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith(".\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(tmp_path: Path, option: str) -> None:
    done = run(option, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: python -m breakout_a3c COMMAND" in done.stdout
    for command, purpose in COMMANDS.items():
        assert f"  {command:<9}{purpose}\n" in done.stdout


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train", ["--preset", "--resume"]),
        ("play", ["--render", "--serve", "--record", "--json", "--episodes"]),
        ("games", []),
        ("curves", ["--output", "--title"]),
        ("publish", ["--evaluation"]),
    ],
)
def test_help_of_a_command_names_its_options(tmp_path: Path, command: str, options: list[str]) -> None:
    done = run(command, "--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: -m breakout_a3c {command} [-h]")
    assert all(option in done.stdout for option in options)


def test_a_command_does_what_its_program_does(checkpoint_path: Path, tmp_path: Path) -> None:
    """The processes that play the games are started from this package's own main module."""
    done = run("play", checkpoint_path, "--episodes", 2, "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert (facts["model"], facts["episodes"], len(facts["scores"])) == (str(checkpoint_path), 2, 2)


def test_a_checkpoint_is_published_and_plays(checkpoint_path: Path, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text('{"mean": 1.5}')
    done = run("publish", checkpoint_path, "a.safetensors", "--evaluation", "evaluation.json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    name, digest = done.stdout.rstrip("\n").split(": SHA-256 ")
    assert name == "a.safetensors"
    assert len(digest) == 64
    played = run("play", "a.safetensors", "--record", "game.gif", "--seconds", 1, folder=tmp_path)
    assert (played.returncode, played.stderr) == (0, "")
    assert played.stdout.startswith("game.gif: 0:01 minutes, ")
