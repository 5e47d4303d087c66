"""The curves in Weights & Biases, which has them from TensorBoard's files; one run there for each run here."""

import os
import re
from pathlib import Path
from uuid import uuid4

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.saving.files import write_atomically
from breakout_a3c.saving.run_names import cannot_write

ID_FILE = "wandb-id"  # beside the curves: a run that goes on elsewhere with them goes on there, too
ID = re.compile(r"[0-9a-f]{8,32}")
INIT_SECONDS = 30  # without a network, its own 90 s look like a hang


def mirror_to_wandb(folder: Path, config: TrainConfig, *, resumed: bool) -> None:
    """Show what is written to TensorBoard in ``folder`` from now on in Weights & Biases, too.

    Args:
        folder: ``runs/<run>``.
        config: Hyper-parameters, and the game, which names the project.
        resumed: Whether an earlier part of the run may be there.

    Raises:
        UserError: If its package is not installed, nobody is logged in, or it cannot be reached.
    """
    try:
        import wandb
    except ImportError as error:
        raise UserError("--wandb needs the package wandb: install it, or leave out --wandb.") from error
    os.environ.setdefault("WANDB_INIT_TIMEOUT", str(INIT_SECONDS))
    try:
        wandb.init(
            project=f"{config.game.name}-a3c",
            name=folder.name,
            id=run_id(folder, resumed),
            resume="allow",
            dir=folder,
            config=config.to_dict(),
            sync_tensorboard=True,
        )
    except UserError:
        raise
    except Exception as error:  # its own classes, and those of what it is made of
        why = next(iter(str(error).splitlines()), type(error).__name__).strip().rstrip(".")
        raise UserError(
            f"Weights & Biases cannot be used ({why}): type wandb login, set WANDB_MODE=offline where there is no "
            f"network, or leave out --wandb."
        ) from error


def run_id(folder: Path, resumed: bool) -> str:
    """Return the name under which Weights & Biases knows the run: a new one, or that of its earlier part.

    Raises:
        UserError: If the folder cannot be written.
    """
    path = folder / ID_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if resumed and path.is_file() and ID.fullmatch(known := path.read_text(errors="replace").strip()):
            return known
        new = uuid4().hex
        write_atomically(path, lambda temporary: temporary.write_text(new))
    except OSError as error:
        raise cannot_write(folder, error, "--runs") from error
    return new
