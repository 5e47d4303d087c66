"""Archives are copied entry by entry, and only if they are as torch writes them."""

import zipfile
from pathlib import Path

import pytest
import torch

from breakout_a3c.errors import UserError
from breakout_a3c.saving import archive
from breakout_a3c.saving.archive import MAX_INDEX_BYTES, ShortReads, check_sizes, checked_archive


def write_archive(path: Path, **entries: bytes) -> None:
    with zipfile.ZipFile(path, "w") as target:
        for name, content in entries.items():
            target.writestr(name, content)


def entry(name: str, size: int = 10, compress_type: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.file_size, info.compress_type = size, compress_type
    return info


def test_the_copy_is_what_torch_wrote(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    torch.save({"numbers": torch.arange(5)}, path)
    assert torch.load(checked_archive(path), weights_only=True)["numbers"].tolist() == [0, 1, 2, 3, 4]


def test_a_flipped_bit_of_an_entry_is_seen(tmp_path: Path) -> None:
    path, payload = tmp_path / "file.pt", bytes(range(100))
    write_archive(path, data=payload)
    whole = bytearray(path.read_bytes())
    whole[whole.index(payload) + 50] ^= 1
    path.write_bytes(whole)
    with pytest.raises(UserError, match="is damaged or not a checkpoint"):
        checked_archive(path)


def test_what_stands_before_the_archive_is_not_copied(tmp_path: Path) -> None:
    """Torch may find other entries in a file than Python does."""
    path = tmp_path / "file.pt"
    write_archive(path, data=b"checked")
    path.write_bytes(b"something else" + path.read_bytes())
    copy = checked_archive(path)
    assert copy.read(2) == b"PK"
    with zipfile.ZipFile(copy) as found:
        assert found.read("data") == b"checked"


@pytest.mark.parametrize(
    "entries",
    [
        [entry("a/data.pkl"), entry("a/data.pkl")],
        [entry("a/data.pkl"), entry("A/DATA.PKL")],
        [entry("a/data.pkl", compress_type=zipfile.ZIP_DEFLATED)],
        [entry("a/data.pkl", size=MAX_INDEX_BYTES + 1)],
        [entry("a/data.PKL", size=MAX_INDEX_BYTES), entry("b.pkl")],
        [entry("a/data/0", size=2**27), entry("a/data/1", size=2**27), entry("a/data/2")],
    ],
    ids=["twice", "twice but for capitals", "compressed", "large pickle", "two pickles", "large"],
)
def test_entries_that_torch_does_not_write_are_refused(entries: list[zipfile.ZipInfo]) -> None:
    with pytest.raises(ValueError, match="no archive of torch's"):
        check_sizes(entries)


def test_the_largest_checkpoint_is_no_problem() -> None:
    check_sizes([entry("a/data.pkl", size=MAX_INDEX_BYTES), entry("a/data/0", size=2**28 - MAX_INDEX_BYTES)])


@pytest.mark.parametrize("size", [None, -1, 2**40])
def test_no_read_takes_more_memory_than_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(archive, "MAX_INDEX_BYTES", 100)
    (tmp_path / "file").write_bytes(bytes(101))
    with ShortReads(tmp_path / "file") as file:
        assert len(file.read(100)) == 100
        file.seek(1)
        assert len(file.read(size)) == 100
        file.seek(0)
        with pytest.raises(ValueError, match="too much at once"):
            file.read(size)


@pytest.mark.parametrize("what", ["nothing", "folder"])
def test_what_is_no_file_is_missing(tmp_path: Path, what: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=rf"there is no checkpoint at .*{what}: train one with"):
        checked_archive(tmp_path / what)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")  # root may read everything

    (tmp_path / "file.pt").touch()
    monkeypatch.setattr(archive, "ShortReads", refuse)
    with pytest.raises(UserError, match="cannot be read: change its permissions"):
        checked_archive(tmp_path / "file.pt")
