"""What has to be known of another program to race it."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from breakout_a3c.errors import UserError

SOURCE_FILES = ":(glob)**/*.py"  # pictures and trained models are not needed


@dataclass(frozen=True, slots=True)
class Change:
    """A text of a program's file that is replaced, once, because it does not run today or tells too little."""

    file: str
    old: str
    new: str
    why: str


@dataclass(frozen=True, slots=True)
class Rival:
    """Another program that learns Breakout.

    Args:
        key: Of its files.
        name: In tables and pictures.
        home: Its address.
        settings: Where its settings are from.
        needs: What pip installs for it.
        arguments: Of its virtual environment's Python; FOLDER is the folder of its own.
        game_score: Matches a game's raw score in what it prints, as group 1.
        score_games: How many of its newest games are its score.
        score_kind: What these games are.
        repository: The folder of its source among the sources; empty: it needs none.
        commit: Of that source.
        more_files: What it needs of the source besides Python's files.
        changes: What is changed in it.
        imports: Folders of this repository that its Python looks into first.
        layers: The names of its layers in the order of ours, if its snapshots can play by our protocol.
    """

    key: str
    name: str
    home: str
    settings: str
    needs: Sequence[str]
    arguments: Sequence[str]
    game_score: str
    score_games: int = 100
    score_kind: str = "its last 100 training games"
    repository: str = ""
    commit: str = ""
    more_files: Sequence[str] = ()
    changes: Sequence[Change] = ()
    imports: Sequence[str] = ()
    layers: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def own_score(self, scores: Sequence[float]) -> float:
        """Return the mean of its newest games, 0 before there are enough of them."""
        newest = scores[-self.score_games :]
        return sum(newest) / len(newest) if len(newest) == self.score_games else 0.0

    def scores_in(self, line: str) -> list[float]:
        """Return the scores of games that a line tells."""
        return [float(score) for score in re.findall(self.game_score, line)]


def copy_source(rival: Rival, sources: Path, folder: Path) -> None:
    """Write a rival's source at its commit into ``folder``, with its changes.

    Raises:
        UserError: If the source or a text that is to be changed is missing.
    """
    repository = sources / rival.repository
    folder.mkdir(parents=True, exist_ok=True)
    command = ["git", "-C", repository, "archive", rival.commit, SOURCE_FILES, *rival.more_files]
    archive = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if archive.returncode:
        raise UserError(f"{repository} has no commit {rival.commit}: git clone {rival.home} {repository}")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    for change in rival.changes:
        file = folder / change.file
        text = file.read_text()
        if text.count(change.old) != 1:
            raise UserError(f"{rival.name}: {change.file} has {text.count(change.old)} times {change.old!r}, not once.")
        file.write_text(text.replace(change.old, change.new))
