import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from breakout_a3c.training.console import live_table, number, plain_line
from breakout_a3c.training.status import MachineStatus, TrainingStatus

STATUS = TrainingStatus(
    progress=0.418,
    minutes=20.3,
    minutes_left=95.0,
    steps=3_344_240,
    updates=33_442,
    games=4000,
    steps_per_second=2815.4,
    updates_per_second=28.2,
    frame_skip=4,
    learning_rate=7e-4,
    entropy_coef=0.005,
    recent_games=100,
    mean_return=131.1,
    mean_sticky_return=87.6,
    mean_length=836.0,
    best_return=336.0,
    mean_returns_of_learners={0: 130.0, 2: 132.5},
    truncated_games=0,
    evaluation=None,
    entropy=0.722,
    learners=8,
    learners_alive=8,
    learners_replaced=0,
    updates_not_finite=0,
    reports_dropped=0,
    memory_mb=831.0,
    minutes_since_checkpoint=0.3,
)
SHOWN = [
    "41.8%",
    "3,344,240",
    "1 h 35 min left",
    "2,815",
    "11,262",
    "131.1",
    "336.0",
    "87.6",
    "0.722",
    "8/8",
    "831 MB",
    "0.3",
]


def rendered(status: TrainingStatus, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(live_table("breakout-20261120-180529", status))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_shows_everything(width: int) -> None:
    shown = rendered(STATUS, width)
    assert all(text in shown for text in SHOWN), shown
    assert max(map(len, shown.splitlines())) <= width
    labels = ("score, last 100", "last evaluation", "last checkpoint", "actor-learners")
    assert all(label in shown for label in labels), "no label is broken over two lines"


MACHINE = MachineStatus("192.168.100.102", 16, 15, 25_512.4, 12.34, 0.0511)


@pytest.mark.parametrize(
    ("machine", "texts"),
    [
        (MACHINE, ["25,512 steps/s", "15/16 alive", "12 updates late"]),
        (replace(MACHINE, silent_seconds=6.2), ["silent", "15/16 alive", "for 6 s"]),
        (
            replace(MACHINE, learners_alive=0, starting=True, silent_seconds=14.0),
            ["starting", "0/16 alive", "for 14 s"],
        ),
    ],
)
def test_a_machine_of_a_cluster_has_a_row(machine: MachineStatus, texts: list[str]) -> None:
    status = replace(STATUS, machines=[machine], learners_replaced=3)
    shown = rendered(status, 80)
    (row,) = (line for line in shown.splitlines() if machine.name in line)
    assert [text in row for text in texts] == [True] * 3, shown
    assert "3 lost" in shown
    line = plain_line(status)
    assert f"{machine.name}: {', '.join(texts)}, 51 ms an exchange" in line
    assert "3 lost" in line


def test_the_line_shows_everything() -> None:
    line = plain_line(STATUS)
    assert all(text in line for text in SHOWN), line
    assert "\n" not in line


def test_trouble_is_shown() -> None:
    trouble = replace(STATUS, learners_replaced=2, updates_not_finite=5)
    for shown in (rendered(trouble, 80), plain_line(trouble)):
        assert "2 replaced" in shown
        assert "5 updates" in shown


def test_what_is_not_known_yet_is_a_dash() -> None:
    assert number(math.nan) == number(-math.inf) == "-"
    start = replace(STATUS, mean_return=math.nan, best_return=-math.inf, entropy=math.nan, minutes_left=math.inf)
    assert "time left -" in plain_line(start)
    assert "nan" not in rendered(start, 80) + plain_line(start)


def test_without_games_with_sticky_actions_their_score_has_no_place() -> None:
    without = replace(STATUS, mean_sticky_return=math.nan)
    assert "sticky" not in rendered(without, 80) + plain_line(without)


@pytest.mark.parametrize(
    ("score", "shown"), [(1_234_567.8, "1,234,567.8"), (-29_999.9, "-29,999.9"), (-20.74, "-20.7")]
)
def test_scores_of_any_size_and_sign_have_room(score: float, shown: str) -> None:
    status = replace(STATUS, mean_return=score, best_return=score, evaluation=score)
    table = rendered(status, 80)
    assert table.count(f" {shown} ") == 3
    assert len({len(line) for line in table.splitlines()[1:]}) == 1, "no column is broken"
    assert plain_line(status).count(shown) == 2
