import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common.paths import RESULTS, ROOT
from benchmarks.results_tables import figures, tables
from benchmarks.results_tables.measured import Measured
from benchmarks.results_tables.pages import PARTS, filled, pages

LARGE = {
    "machine": {"date": "2026-12-01", "processor": "Intel Xeon", "cores": 16, "bf16": True, "commit": "0123456789ab"},
    "cores": 16,
    "device": "cpu",
    "bare_emulator_steps_per_second": 70_000,
    "training": {"steps_per_second": 25_200, "fraction_of_bare_emulator": 0.36, "staleness_updates": 15.0},
    "minutes_to": {"400": {"minutes": 2.84, "not_by": 2.67, "reached_by": 2.84}},
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A copy of the results, to be changed; without those that need not be there."""
    optional = shutil.ignore_patterns("*.png", "large_machine", "seed-*-sampled-sticky.json")
    return Path(shutil.copytree(RESULTS, tmp_path / "current", ignore=optional))


def change(path: Path, **facts: Any) -> None:
    """Change facts of a result file."""
    path.parent.mkdir(exist_ok=True)
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(old | facts))


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_tells_what_the_files_hold(path: Path) -> None:
    text = path.read_text()
    assert filled(text, Measured()) == text, f"{path.name} differs from the result files: run make results"


def test_the_pages_are_found() -> None:
    assert {str(path.relative_to(ROOT)) for path in pages()} >= {"README.md", "benchmarks/README.md"}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_the_same_after_it_was_written(name: str) -> None:
    begin = f"<!-- results:begin {name} -->".replace("  ", " ")
    measured = Measured()
    for text in (f"a {begin}old<!-- results:end --> b\n", f"a\n\n{begin}\nold\n<!-- results:end -->\n\nb\n"):
        once = filled(text, measured)
        assert PARTS[name](measured) in once
        assert once.startswith("a")
        assert once.rstrip().endswith("b")
        assert filled(once, measured) == once


def test_empty_parts_are_filled_and_two_of_them_are_two() -> None:
    text = "<!-- results:begin -->\n<!-- results:end -->\n<!-- results:begin throughput --><!-- results:end -->"
    lines = filled(text, Measured()).splitlines()
    assert lines[1] == "### How soon"
    assert lines[-1] == f"<!-- results:begin throughput -->{figures.throughput(Measured())}<!-- results:end -->"


@pytest.mark.parametrize(
    "text",
    [
        "<!-- results:begin -->",
        "<!-- results:end -->",
        "<!-- results:begin -->\n<!-- results:begin -->\n<!-- results:end -->",
        "<!-- results:begin no-such-part --><!-- results:end -->",
    ],
)
def test_comments_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="part"):
        filled(text, Measured())


def test_another_measurement_is_another_text(results: Path) -> None:
    path = results / "throughput" / "throughput.json"
    rows = json.loads(path.read_text())["rows"]
    for row in rows:
        if row["name"] == "breakout, 8 actor-learners":
            row |= {"steps_per_second": 1234, "share_of_reference": 0.111}
    change(path, rows=rows)
    measured = Measured(results)
    assert "| default training, 8 actor-learners | 1,234 |" in tables.how_fast(measured)
    assert figures.throughput(measured).startswith("1,234 of ")
    assert "11%" in figures.throughput(measured)


def test_both_protocols_stand_beside_each_other_where_they_are_known(results: Path) -> None:
    change(results / "time_to_score" / "seed-2-evaluation-sampled-sticky.json", mean=88.04, standard_error=7.06)
    row = next(line for line in tables.how_well(Measured(results)).splitlines() if "default training" in line)
    _, _, plain, sticky, _, _ = row.split("|")
    assert len(plain.split(",")) == len(sticky.split(",")) == 3
    assert sticky.split(",") == [" -", " 88.0 ± 7.1", " - "]


def test_a_run_on_a_machine_that_changed_its_speed_is_told(results: Path) -> None:
    change(results / "time_to_score" / "seed-3.json", emulator_steps_per_second=[8000, 9900])
    assert "seed 3: the emulator's speed moved" in tables.how_soon(Measured(results))


def test_a_machine_with_more_cores_has_its_row(results: Path) -> None:
    assert figures.large_machine(Measured(results)) == "not measured by this program yet"
    assert "| 16 cores | not yet |" in tables.how_fast(Measured(results))
    change(results / "large_machine" / "16-cores.json", **LARGE)
    change(results / "large_machine" / "16-cores-cuda.json", **(LARGE | {"device": "cuda", "minutes_to": None}))
    rows = tables.how_fast(Measured(results)).splitlines()[-5:]
    assert rows[0] == "| 2 cores | not yet | | | |"
    assert rows[1] == "| 16 cores | 70,000 | 25,200 | 36% | 2.8 min |"
    assert rows[2] == "| 16 cores and a GPU | 70,000 | 25,200 | 36% | - |"
    assert figures.large_machine(Measured(results)) == (
        "25,200 of 70,000 agent steps/s on 16 cores and a GPU: 36%; 400 points: -"
    )


def test_a_large_machine_that_came_to_no_training_is_not_measured(results: Path) -> None:
    change(results / "large_machine" / "16-cores.json", **(LARGE | {"training": None, "minutes_to": None}))
    assert figures.large_machine(Measured(results)) == "not measured by this program yet"
    assert "| 16 cores | not yet |" in tables.how_fast(Measured(results))


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"minutes": 2.84, "not_by": 2.6, "reached_by": 2.84}, "2.8 min"),
        ({"minutes": None, "not_by": 1.0, "reached_by": 3.5}, "at most 3.5 min"),
        ({"minutes": None, "not_by": 4.6, "reached_by": None}, "not within 4.6 min"),
        ({"minutes": None, "not_by": None, "reached_by": None}, "-"),
        (None, "-"),
    ],
)
def test_minutes_are_told_as_far_as_they_are_known(known: dict[str, float | None] | None, text: str) -> None:
    assert tables.minutes_to({"minutes_to": {"400": known} if known else None}, 400) == text


def test_parts_are_listed_as_a_sentence() -> None:
    assert figures.in_words(["5"]) == "5"
    assert figures.in_words(["5", "6", "8"]) == "5, 6 and 8"


@pytest.mark.parametrize(("error", "cell"), [(9.25, "7.0 ± 9.2"), (None, "7.0")])
def test_a_score_without_a_standard_error_has_no_number_for_it(error: float | None, cell: str) -> None:
    assert tables.score({"mean": 7.0, "standard_error": error}) == cell
