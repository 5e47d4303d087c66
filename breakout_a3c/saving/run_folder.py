"""The checkpoints of one run."""

import fcntl
import os
from contextlib import ExitStack, suppress
from pathlib import Path

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from breakout_a3c.saving.config_file import FILE_NAME, write_config
from breakout_a3c.saving.files import point_to
from breakout_a3c.saving.run_names import BEST, cannot_write, numbered_checkpoints

LOCK = ".lock"
LEFT_SECONDS = 60.0
TIME_STEP_NS = 2 * 10**9  # FAT knows the time of a file to two seconds


class RunFolder:
    """The checkpoints of one run: numbered ones, ``best.pt``, and ``latest.pt`` one folder up.

    ``error`` says what the file system does not allow, although checkpoints are written.

    Args:
        root: Folder of all runs, ``checkpoints``.
        run: Name of this one.

    Raises:
        UserError: If the folder cannot be written, or another trainer is writing it.
    """

    def __init__(self, root: Path, run: str) -> None:
        self.path = root / run
        self.best_path = self.path / BEST
        self.error = ""
        self._root = root
        self._told: set[str] = set()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / LOCK).open("w")
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._take_lock()
        self._clear_up()

    def _take_lock(self) -> None:
        """Keep other trainings out of this folder.

        Raises:
            UserError: If another one is in it.
        """
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # the second is what some NFS says
            raise UserError(
                f"another training is writing {self.path}: stop it, or choose another name with --run."
            ) from error
        except OSError as error:  # some Lustre, NFS and FUSE have no locks: ENOSYS, EOPNOTSUPP, ENOLCK, EINVAL
            fact = f"the file system of {self.path} has no locks"
            self._tell(fact, error, "start no second training of this run")

    def _tell(self, fact: str, error: OSError, advice: str) -> None:
        """Say in ``error`` what is not possible, unless that was said."""
        if fact not in self._told:
            self._told.add(fact)
            self.error = f"{fact} ({error.strerror}): {advice}."

    def _clear_up(self) -> None:
        """Remove what was left by trainings that were killed while they saved."""
        for left in self.path.glob(".*.tmp"):
            with suppress(OSError):
                left.unlink()
        now = os.fstat(self._lock.fileno()).st_mtime  # by the clock of the file system: a server has its own
        for link in self._root.glob(".latest.pt.*.tmp"):
            with suppress(OSError):  # another run's training renames it right now, or it is another user's
                if now - link.lstat().st_mtime > LEFT_SECONDS:
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

    def save(self, checkpoint: Checkpoint, keep: int) -> Path:
        """Write a numbered checkpoint, point ``latest.pt`` at it, and delete those beyond ``keep``.

        Raises:
            ValueError: If a parameter is not finite.
            OSError: If the checkpoint cannot be written; the two other steps may fail.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / f"step_{checkpoint.steps:012d}.pt"
        save_checkpoint(checkpoint, path)
        latest = self._root / "latest.pt"
        try:
            point_to(latest, path)
        except OSError as error:
            self._tell(f"{latest} cannot be replaced", error, "give play.py and --resume a checkpoint's own path")
        try:
            self._delete_all_but(keep, path)
        except OSError as error:
            self._tell(f"old checkpoints in {self.path} cannot be deleted", error, "see to it that the disk has room")
        return path

    def _delete_all_but(self, keep: int, newest: Path) -> None:
        """Delete the oldest numbered checkpoints.

        Raises:
            OSError: If one of them cannot be deleted; the others are.
        """
        others = [path for path in numbered_checkpoints(self.path) if path != newest]
        if others:
            make_later(newest, others[-1])
        with ExitStack() as deletions:  # calls each of them, although another fails
            for path in others[: max(0, len(others) + 1 - keep)]:
                deletions.callback(path.unlink, missing_ok=True)

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

    def abandon(self) -> None:
        """Remove the folder if nothing but the lock is in it, and let another trainer write here."""
        with suppress(OSError):
            if [path.name for path in self.path.iterdir()] == [LOCK]:
                (self.path / LOCK).unlink()
                self.path.rmdir()
        self.close()

    def close(self) -> None:
        """Let another trainer write here."""
        self._lock.close()


def make_later(path: Path, other: Path) -> None:
    """Let ``path`` look newer than ``other``, although the clock was set back: the next training goes by that, too."""
    with suppress(OSError):  # not every file system lets one set a time
        time = other.stat().st_mtime_ns
        if path.stat().st_mtime_ns < time:
            os.utime(path, ns=(time + TIME_STEP_NS, time + TIME_STEP_NS))
