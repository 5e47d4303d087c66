"""The checkpoints of one run."""

import fcntl
import time
from contextlib import suppress
from pathlib import Path

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from breakout_a3c.saving.config_file import FILE_NAME, write_config
from breakout_a3c.saving.files import point_to

LEFT_SECONDS = 60.0


class RunFolder:
    """The checkpoints of one run: numbered ones, ``best.pt``, and ``latest.pt`` one folder up.

    Args:
        root: Folder of all runs, ``checkpoints``.
        run: Name of this one.

    Raises:
        UserError: If the folder cannot be written, or another trainer is writing it.
    """

    def __init__(self, root: Path, run: str) -> None:
        self.path = root / run
        self.best_path = self.path / "best.pt"
        self._root = root
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(
                f"another training is writing {self.path}: stop it, or choose another name with --run."
            ) from error
        self._clear_up()

    def _clear_up(self) -> None:
        """Remove what was left by trainings that were killed while they saved."""
        for left in self.path.glob(".*.tmp"):
            left.unlink(missing_ok=True)
        for link in self._root.glob(".latest.pt.*.tmp"):
            with suppress(FileNotFoundError):  # another run's training renames it right now
                if time.time() - link.lstat().st_mtime > LEFT_SECONDS:
                    link.unlink()

    def save_config(self, config: TrainConfig) -> None:
        """Write the settings of this run as a file for people.

        Raises:
            UserError: If the folder cannot be written.
        """
        try:
            write_config(config, self.path / FILE_NAME)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def numbered(self) -> list[Path]:
        """Return the numbered checkpoints in the order in which they were written."""
        return sorted(self.path.glob("step_*.pt"), key=lambda path: path.stat().st_mtime_ns)

    def save(self, checkpoint: Checkpoint, keep: int) -> Path:
        """Write a numbered checkpoint, point ``latest.pt`` at it, and delete those beyond ``keep``."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / f"step_{checkpoint.steps:012d}.pt"
        save_checkpoint(checkpoint, path)
        point_to(self._root / "latest.pt", path)
        for old in self.numbered()[:-keep]:
            if old != path:
                old.unlink(missing_ok=True)
        return path

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Write ``best.pt``."""
        self.path.mkdir(parents=True, exist_ok=True)
        save_checkpoint(checkpoint, self.best_path)

    def best_evaluation(self) -> float | None:
        """Return the mean score for which ``best.pt`` was kept, if there is one."""
        try:
            return load_checkpoint(self.best_path).best_evaluation
        except UserError:
            return None

    def close(self) -> None:
        """Let another trainer write here."""
        self._lock.close()


def cannot_write(folder: Path, error: OSError) -> UserError:
    """Return the sentence for a folder that cannot be written."""
    return UserError(f"the folder {folder} cannot be written ({error.strerror}): choose another with --checkpoints.")
