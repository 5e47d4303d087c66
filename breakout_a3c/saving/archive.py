"""Reads archives of torch without trusting anything in them."""

import io
import shutil
import zipfile
from pathlib import Path

from breakout_a3c.errors import UserError
from breakout_a3c.saving.model_names import require_there
from breakout_a3c.saving.other_programs import first_bytes, is_safetensors, kind_of, refusal

MAX_BYTES = 1 << 28  # the largest network here takes 14 MB
MAX_INDEX_BYTES = 1 << 20  # of the archive's directory, and of the pickle, which holds all but the tensors


def checked_archive(path: Path) -> io.BytesIO:
    """Return a copy of the archive at ``path``, entry by entry with the right checksum.

    torch reads a flipped bit silently, and may find other entries in a file than Python does. So it is given the
    copy that was checked.

    Raises:
        UserError: If it is not a complete archive of torch's, or larger than any checkpoint.
    """
    require_there(path)
    copy, names = io.BytesIO(), []
    try:
        with ShortReads(path) as file, zipfile.ZipFile(file) as archive, zipfile.ZipFile(copy, "w") as checked:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            check_sizes(entries)
            for entry in entries:
                with archive.open(entry) as source, checked.open(entry.filename, "w") as target:
                    shutil.copyfileobj(source, target, MAX_INDEX_BYTES)
    except PermissionError as error:
        raise UserError(f"{path} cannot be read: change its permissions.") from error
    except Exception as error:
        head = first_bytes(path)
        kind = "a model whose name does not end in .safetensors" if is_safetensors(head) else kind_of(head, names)
        if kind:
            raise refusal(path, kind) from error
        raise DamagedCheckpoint(
            f"{path} is damaged or not a checkpoint: use an older one from its folder, or best.pt."
        ) from error
    copy.seek(0)
    return copy


def check_sizes(entries: list[zipfile.ZipInfo]) -> None:
    """Raise a ValueError if the entries are more than a checkpoint has, or take more memory than they say."""
    names = [entry.filename.lower() for entry in entries]  # torch tells no capitals from small letters
    pickle_bytes = sum(entry.file_size for entry in entries if entry.filename.lower().endswith(".pkl"))
    if (
        len(set(names)) < len(names)
        or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        or pickle_bytes > MAX_INDEX_BYTES
        or sum(entry.file_size for entry in entries) > MAX_BYTES
    ):
        raise ValueError("no archive of torch's")


class DamagedCheckpoint(UserError):
    """A file that is damaged or no checkpoint: an older one may do."""


class ShortReads(io.FileIO):
    """A file of which nothing is read that takes more memory at once than a checkpoint's directory may.

    zipfile reads the directory at once, whatever length the archive gives for it.
    """

    def read(self, size: int | None = -1) -> bytes:
        """Read up to ``size`` bytes.

        Raises:
            ValueError: If there are more than a checkpoint needs.
        """
        wanted = MAX_INDEX_BYTES + 1 if size is None or size < 0 else min(size, MAX_INDEX_BYTES + 1)
        content = super().read(wanted) or b""
        if len(content) > MAX_INDEX_BYTES:
            raise ValueError("too much at once")
        return content
