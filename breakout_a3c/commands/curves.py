"""Draw the learning curves of runs."""

from pathlib import Path

from breakout_a3c.command_line import Parser
from breakout_a3c.errors import UserError
from breakout_a3c.playing.curves import draw_curves, read_curves


def main() -> int:
    """Draw the runs named on the command line."""
    parser = Parser(description="Draw the learning curves of one or more runs.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run, such as runs/breakout-...")
    parser.add_argument("--output", type=Path, default=Path("curves.png"), help="the picture to write [%(default)s]")
    parser.add_argument("--title", default="Learning curves", help="above the picture [%(default)s]")
    options = parser.parse_args()
    if options.output.suffix.lower() != ".png":
        raise UserError(f"--output is {options.output}: give it a name that ends in .png.")
    curves = read_curves(options.runs)
    try:
        draw_curves(curves, options.output, options.title)
    except OSError as error:
        raise UserError(f"{options.output} cannot be written ({error.strerror}): choose another --output.") from error
    print(options.output)
    return 0
