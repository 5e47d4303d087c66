"""Atomic writes: a file is complete or absent."""

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from breakout_a3c.errors import UserError

# Answers of a file system that has no fsync, such as CIFS and VirtualBox shares for folders; disks that fail or are
# full give others. PostgreSQL passes over the same ones (fsync_fname_ext).
NO_FSYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file, flush it to the disk, and rename it to ``path``."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    with suppress(PermissionError):  # of a folder that may be written, but not read
        flush_to_disk(path.parent)


def flush_to_disk(path: Path) -> None:
    """Flush a file or a folder to the disk, where its file system can do that.

    Raises:
        OSError: If the disk fails or is full.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FSYNC:
            raise
    finally:
        os.close(descriptor)


def point_to(link: Path, target: Path) -> None:
    """Make ``link`` a relative symbolic link to ``target``, or a copy where links do not work.

    Raises:
        OSError: If ``link`` cannot be replaced.
    """
    temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
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
