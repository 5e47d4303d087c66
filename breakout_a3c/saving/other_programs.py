"""Recognises files of other programs by their first bytes, or by the names in their archive; nothing else is read."""

from collections.abc import Sequence
from pathlib import Path

from breakout_a3c.errors import UserError

HEAD_BYTES = 64
READABLE = "a .pt that train.py wrote, or a .safetensors that was published from one"
# The first bytes of a file, and what it then is.
BEGINNINGS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes them",
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.": "a file in the old format of PyTorch",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x93NUMPY": "an array of NumPy",
    b"GGUF": "a GGUF file",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf'\x1c": "a 7z archive",
    b"version https://git-lfs": "a pointer of Git LFS, which git lfs pull replaces by the file",
    b"<!DOCTYPE": "a web page and not the file that was meant",
    b"<!doctype": "a web page and not the file that was meant",
    b"<html": "a web page and not the file that was meant",
}
# The end of a name in a zip archive, and what the archive then is.
ENTRIES = {
    "_stable_baselines3_version": "a model of Stable-Baselines3",
    "policy.pth": "a model of Stable-Baselines3",
    "model.weights.h5": "a model of Keras",
    "/constants.pkl": "a model of TorchScript",
    ".npy": "a file of NumPy arrays",
}


def kind_of(head: bytes, names: Sequence[str] = ()) -> str:
    """Return what another program's file is, in a few words; empty if that is not known.

    Args:
        head: Its first bytes, ``HEAD_BYTES`` of them.
        names: Of the entries, if it is a zip archive.
    """
    kinds = (kind for end, kind in ENTRIES.items() if any(name.endswith(end) for name in names))
    if kind := next(kinds, ""):
        return kind
    if kind := next((kind for beginning, kind in BEGINNINGS.items() if head.startswith(beginning)), ""):
        return kind
    if head[4:8] == b"TFL3":
        return "a model of TensorFlow Lite"
    # Field 1 of the message, ir_version, and field 2, producer_name (onnx.proto).
    if head[:1] == b"\x08" and head[2:3] == b"\x12":
        return "a model in ONNX"
    return ""


def is_safetensors(head: bytes) -> bool:
    """Return whether a file begins with the length of a header in JSON, and the header."""
    return head[8:10] == b'{"' and not any(head[4:8])


def first_bytes(path: Path) -> bytes:
    """Return the first bytes of a file, none if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def refusal(path: Path, kind: str) -> UserError:
    """Return the error for a file of another program.

    Args:
        path: The file.
        kind: What it is.
    """
    return UserError(f"{path} is {kind}, not a checkpoint of this program: give {READABLE}.")
