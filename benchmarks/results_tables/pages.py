"""The places in the pages that hold generated text, between two comments.

``<!-- results:begin -->`` and ``<!-- results:end -->`` enclose all tables; ``<!-- results:begin how-well -->`` begins a
single part. A part whose first comment ends its line has lines of its own; the others stand inside a line.
"""

import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.common.paths import ROOT
from benchmarks.results_tables import figures, tables
from benchmarks.results_tables.measured import Measured

PAGES = ("*.md", "benchmarks/*.md", "docs/**/*.md", "models/*.md")
ALL_TABLES = ""
PARTS: dict[str, Callable[[Measured], str]] = {
    ALL_TABLES: lambda measured: "\n\n".join(
        table(measured) for table in (tables.how_soon, tables.how_well, tables.how_fast)
    ),
    "how-soon": tables.how_soon,
    "how-well": tables.how_well,
    "how-fast": tables.how_fast,
    "other-games": tables.other_games,
    "throughput": figures.throughput,
    "throughput-source": lambda measured: figures.source(measured.throughput),
    "sb3-training": figures.sb3_training,
    "sb3-training-source": lambda measured: figures.source(measured.sb3_training),
    "minutes-to-scores": figures.how_soon,
    "end-scores": figures.end_scores,
    "published-model": figures.published_model,
    "sb3-evaluation": figures.sb3_evaluation,
    "large-machine": figures.large_machine,
}
PART = re.compile(r"(<!-- results:begin ?([\w-]*) -->)(.*?)(<!-- results:end -->)", re.DOTALL)
COMMENT = re.compile(r"<!-- results:")


def pages() -> list[Path]:
    """Return the pages that hold generated text."""
    found = {path for pattern in PAGES for path in ROOT.glob(pattern)}
    return sorted(path for path in found if COMMENT.search(path.read_text()))


def filled(text: str, measured: Measured) -> str:
    """Return the text of a page with its generated parts as the results are now.

    Raises:
        ValueError: If a comment has no partner, or names a part that is not known.
    """

    def fill(match: re.Match[str]) -> str:
        begin, name, old, end = match.groups()
        if name not in PARTS:
            raise ValueError(f"there is no part called {name!r}: choose one of {', '.join(filter(None, PARTS))}")
        if COMMENT.search(old):
            raise ValueError(f"the part after {begin} has no end of its own")
        new = PARTS[name](measured)
        return f"{begin}\n{new}\n{end}" if old.startswith("\n") else f"{begin}{new}{end}"

    result = PART.sub(fill, text)
    if len(COMMENT.findall(PART.sub("", text))):
        raise ValueError("a comment that begins or ends a generated part stands alone")
    return result
