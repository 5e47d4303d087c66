"""Prints the tables of the results as Markdown, or writes them into the pages: ``make results``."""

from benchmarks.common.paths import ROOT
from benchmarks.common.programs import make_parser
from benchmarks.results_tables.measured import Measured
from benchmarks.results_tables.pages import ALL_TABLES, PARTS, filled, pages


def main() -> None:
    """Print, or write where something has changed."""
    parser = make_parser(__doc__)
    parser.add_argument("--write", action="store_true", help="write between the comments of the pages that have them")
    options = parser.parse_args()
    measured = Measured()
    if not options.write:
        print(PARTS[ALL_TABLES](measured))
        return
    for path in pages():
        text = path.read_text()
        new = filled(text, measured)
        if new != text:
            path.write_text(new)
        print(f"{path.relative_to(ROOT)}: {'as before' if new == text else 'written'}")


if __name__ == "__main__":
    main()
