"""Atomic writes: a file is complete or absent."""

import errno
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from breakout_a3c.errors import UserError

# Answers of a file system that has no fsync, for files as for folders: nothing there is safer than what is written, and
# without them it could keep no checkpoint at all. A disk that fails or is full gives others, which are errors.
NO_FSYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}
# Folders alone: some systems want a descriptor that may write, which no folder has. PostgreSQL passes over EBADF and
# EINVAL of folders, too, and over none of files (fsync_fname in src/common/file_utils.c).
NO_FSYNC_OF_FOLDERS = NO_FSYNC | {errno.EBADF}


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file, flush it to the disk, and rename it to ``path``."""
    temporary = temporary_name(path)
    try:
        write(temporary)
        flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    with suppress(PermissionError):  # of a folder that may be written, but not read
        flush_to_disk(path.parent)


def temporary_name(path: Path) -> Path:
    """Return a name beside ``path`` for a file that will replace it.

    Containers that share a folder have the same process ids: part of it is random.
    """
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def flush_to_disk(path: Path) -> None:
    """Flush a file or a folder to the disk, where its file system can do that.

    Raises:
        OSError: If the disk fails or is full.
    """
    folder = path.is_dir()
    # Some systems flush a file only by a descriptor that may write.
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (NO_FSYNC_OF_FOLDERS if folder else NO_FSYNC):
            raise
    finally:
        os.close(descriptor)


def point_to(link: Path, target: Path) -> None:
    """Make ``link`` a relative symbolic link to ``target``, or a copy where links do not work.

    Raises:
        OSError: If ``link`` cannot be replaced.
    """
    temporary = temporary_name(link)
    try:
        temporary.symlink_to(os.path.relpath(target, link.parent))
    except OSError:
        write_atomically(link, lambda path: shutil.copyfile(target, path))
        return
    try:
        os.replace(temporary, link)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def is_file(path: Path) -> bool:
    """Return whether there is a file at ``path``.

    Raises:
        UserError: If that cannot be found out, as in a folder of another user.
    """
    try:
        return path.is_file()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): ask its owner, or give another path.") from error
