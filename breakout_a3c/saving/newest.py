"""The checkpoint from which a run goes on, whatever a crash or a copy has made of its folder."""

from collections.abc import Callable
from pathlib import Path

from breakout_a3c.errors import UserError
from breakout_a3c.saving.archive import DamagedCheckpoint
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint
from breakout_a3c.saving.run_names import BEST, all_checkpoints


def load_newest(folder: Path, say: Callable[[str], object]) -> tuple[Path, Checkpoint]:
    """Read the checkpoint that was written last; damaged ones are passed over.

    ``best.pt`` may be written after a numbered one, with what was learned before or after that: the longer training
    of the two counts. The one with the most steps of all would not do: a user may have gone back to an older one.

    Args:
        folder: Of a run that has checkpoints.
        say: Is told what was passed over.

    Raises:
        UserError: If one of them belongs to another version or program, or all are damaged.
    """
    best: list[tuple[Path, Checkpoint]] = []
    paths = all_checkpoints(folder)
    for path in paths[::-1]:
        try:
            found = path, load_checkpoint(path)
        except DamagedCheckpoint:
            say(f"{path} is damaged: the run goes on from an older checkpoint.")
            paths.remove(path)
            continue
        if path.name == BEST:
            best = [found]
            continue
        newest = max([found, *best], key=lambda each: each[1].steps)
        tell_later_one(newest[0], paths, newest[1].steps, say)
        return newest
    if best:
        return best[0]
    raise UserError(f"all checkpoints in {folder} are damaged: remove that folder, or choose another --run.")


def tell_later_one(newest: Path, paths: list[Path], steps: int, say: Callable[[str], object]) -> None:
    """Say if another checkpoint has more steps, as after a copy that gave the files other times."""
    numbered = [path for path in paths if path.name != BEST]
    last = max(numbered, key=lambda path: path.name)
    if last != newest and last.name > f"step_{steps:012d}.pt":
        say(f"The run goes on from {newest}, which was written last. To go on from more steps: --resume {last}.")
