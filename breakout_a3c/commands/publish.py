"""Publish a checkpoint as a model."""

import json
from pathlib import Path

from breakout_a3c.command_line import Parser, add_import_option
from breakout_a3c.errors import UserError
from breakout_a3c.saving.model_names import SUFFIX, require_there


def main() -> int:
    """Publish the checkpoint named on the command line."""
    parser = Parser(description="Publish a checkpoint as a model.")
    parser.add_argument("checkpoint", type=Path, help="the file to publish, which ends in .pt")
    parser.add_argument("model", type=Path, help=f"the file to write, which ends in {SUFFIX}")
    add_import_option(parser)
    parser.add_argument("--evaluation", type=Path, required=True, help="the output of play.py CHECKPOINT --json")
    options = parser.parse_args()
    if options.model.suffix != SUFFIX:
        raise UserError(f"{options.model} does not end in {SUFFIX}: give the model such a name.")
    require_there(options.checkpoint)

    from safetensors import SafetensorError

    from breakout_a3c.saving.checkpoints import load_checkpoint
    from breakout_a3c.saving.published import save_model

    try:
        evaluation = json.loads(options.evaluation.read_text())
        digest = save_model(load_checkpoint(options.checkpoint), evaluation, options.model)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"the model was not written ({error}): check the paths.") from error
    print(f"{options.model}: SHA-256 {digest}")
    return 0
