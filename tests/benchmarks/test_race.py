"""The race: how others' scores are read, how their weights play here, and what is told of them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.learning import race
from benchmarks.rivals import models, running
from benchmarks.rivals.entries import CLEANRL_PPO, NATURE_OF_CLEANRL, RIVALS
from benchmarks.rivals.rival import Change, Rival, copy_source
from breakout_a3c.errors import UserError
from tests.running import Program, run

SHORT = replace(CLEANRL_PPO, score_games=3)


class CleanRLNetwork(nn.Module):
    """As Mnih et al. 2015 have it, with channels first and CleanRL's names."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(),
        )  # fmt: skip
        self.actor = nn.Linear(512, 4)
        self.critic = nn.Linear(512, 1)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.network(frames / 255.0)
        return self.actor(hidden), self.critic(hidden).squeeze(-1)


@torch.no_grad()
def test_a_rivals_weights_play_here_as_they_do_there(tmp_path: Path) -> None:
    theirs, path = CleanRLNetwork(), tmp_path / "1000.pt"
    torch.save(theirs.state_dict(), path)
    agent = models.agent_of(path, NATURE_OF_CLEANRL)
    frames = torch.randint(0, 256, (3, 84, 84, 4), dtype=torch.uint8)
    logits, values = agent.network(frames)
    expected_logits, expected_values = theirs(frames.permute(0, 3, 1, 2).float())
    torch.testing.assert_close(logits, expected_logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(values, expected_values, rtol=1e-4, atol=1e-5)


def test_the_score_of_a_rival_is_the_mean_of_its_newest_games() -> None:
    assert SHORT.scores_in("global_step=8, episodic_return=[2.]") == []
    assert SHORT.scores_in("global_step=8, episodic_return=2.0\n") == [2.0]
    assert SHORT.own_score([1.0, 2.0]) == 0.0, "it has not played enough games"
    assert SHORT.own_score([9.0, 1.0, 2.0, 3.0]) == 2.0


def program(tmp_path: Path, code: str) -> "subprocess.Popen[str]":
    return Program([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("code", "seconds", "ended", "score"),
    [
        (
            "import time\nfor i in range(3): print(f'episodic_return={99 + i}.0')\ntime.sleep(99)",
            60,
            "100 points",
            100.0,
        ),
        ("import time\nfor i in range(4): print('episodic_return=7.0')\ntime.sleep(99)", 3, "time", 7.0),
        (
            "import sys\nfor i in range(3): print('episodic_return=5.0')\nsys.exit(3)",
            60,
            "its program ended with code 3",
            5.0,
        ),
    ],
)
def test_a_rival_is_watched_until_its_score_its_time_or_its_end(
    tmp_path: Path, code: str, seconds: float, ended: str, score: float
) -> None:
    process = program(tmp_path, code)
    seen = running.watch(process, SHORT, 100.0, seconds, tmp_path / "output.log")
    running.end(process)
    assert (seen.ended, seen.points[-1][1]) == (ended, score)
    assert "episodic_return" in (tmp_path / "output.log").read_text()
    assert process.returncode is not None


@pytest.fixture
def source(tmp_path: Path) -> Rival:
    folder = tmp_path / "sources" / "theirs"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text("print('old')\n")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for arguments in (["init", "-q"], ["add", "main.py"], ["commit", "-qm", "one"]):
        run([*git, *arguments], check=True)
    commit = run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    change = Change("main.py", "'old'", "'new'", "it does not run otherwise")
    return replace(CLEANRL_PPO, repository="theirs", commit=commit, changes=(change,))


def test_a_source_is_taken_at_its_commit_and_changed_as_listed(source: Rival, tmp_path: Path) -> None:
    (tmp_path / "sources" / "theirs" / "main.py").write_text("print('later')\n")
    copy_source(source, tmp_path / "sources", tmp_path / "copy")
    assert (tmp_path / "copy" / "main.py").read_text() == "print('new')\n"


def test_a_source_that_is_another_is_refused(source: Rival, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no commit 1234.*git clone"):
        copy_source(replace(source, commit="1234"), tmp_path / "sources", tmp_path / "copy")
    with pytest.raises(UserError, match="has 0 times 'absent'"):
        copy_source(
            replace(source, changes=(Change("main.py", "absent", "", ""),)), tmp_path / "sources", tmp_path / "copy"
        )


def result_of(key: str, snapshots: list[tuple[float, float]], own: list[list[float]], **more: Any) -> dict[str, Any]:
    points = [{"minutes": minutes, "mean": mean, "standard_error": 1.0} for minutes, mean in snapshots]
    names = {"name": key.upper(), "home": "", "settings": "its own", "score_kind": "its last 100 training games"}
    return {"key": key, "snapshots": points, "own_scores": own, "minutes": 60.0, "ended": "time"} | names | more


OURS = result_of("ours", [(1.0, 20.0), (4.0, 101.0)], [])
SLOW = result_of("slow", [], [[10.0, 3.0], [30.0, 60.0]])
FAST = result_of("fast", [(20.0, 90.0), (22.0, 100.0)], [[10.0, 100.0]], home="https://example.org")


def test_the_ratio_is_that_of_the_fastest_rival(tmp_path: Path) -> None:
    assert race.ratio([OURS, SLOW, FAST]) == "5.5"
    assert race.ratio([OURS, SLOW]) == "more than 15.0"
    assert race.ratio([OURS, SLOW | {"ended": "its program ended with code 1"}]).startswith("no ratio")
    assert race.ratio([OURS]).startswith("no ratio")
    assert race.ratio([SLOW]).startswith("no ratio")
    race.draw([OURS, SLOW, FAST], tmp_path / "race.png")
    assert (tmp_path / "race.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_says_whose_score_it_is() -> None:
    lines = race.table([OURS, SLOW, FAST]).splitlines()
    assert lines[2] == "| **OURS** | its own | 4.0 min | 101, 30 fresh games a snapshot |"
    assert lines[3] == "| **SLOW** | its own | not within 60 min (time) | 60, its last 100 training games |"
    assert lines[4].startswith("| [FAST](https://example.org) | its own | 22.0 min | 100, ")


def test_rivals_with_a_source_name_its_commit() -> None:
    for rival in RIVALS:
        assert bool(rival.repository) == bool(rival.commit)
        assert rival.home.startswith("https://github.com/")
        assert rival.needs
