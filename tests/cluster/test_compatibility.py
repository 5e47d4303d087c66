"""Machines that cannot train together are told apart, in one sentence that names them."""

import re
from dataclasses import replace

import pytest

from breakout_a3c.cluster.compatibility import fingerprint, incompatibility, versions_here

HERE = versions_here("breakout")


def test_a_machine_like_this_one_gives_no_trouble() -> None:
    assert incompatibility("node-2", HERE, HERE) == ""
    assert HERE.program == fingerprint()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("program", "node-2 has breakout_a3c other, and this machine has .*: install the same breakout_a3c on both."),
        ("python", "node-2 has Python other"),
        ("torch", "node-2 has torch other"),
        ("ale_py", "node-2 has ale-py other"),
    ],
)
def test_another_version_is_named_with_its_machine(name: str, sentence: str) -> None:
    assert re.match(sentence, incompatibility("node-2", replace(HERE, **{name: "other"}), HERE))


def test_a_machine_without_the_game_says_so() -> None:
    there = versions_here("no_such_game")
    assert incompatibility("node-2", there, HERE).startswith("node-2 cannot train: ")
    assert "no_such_game" in there.error
