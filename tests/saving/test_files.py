"""Files are whole or absent."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.saving.files import is_file, point_to, temporary_name, write_atomically


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path, seen = tmp_path / "file", []

    def write(temporary: Path) -> None:
        temporary.write_text("first half, ")
        seen.append(path.exists())
        temporary.write_text("first half, second half")

    write_atomically(path, write)
    assert seen == [False]
    assert path.read_text() == "first half, second half"
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    flush, rename = os.fsync, os.replace

    def record_flush(descriptor: int) -> None:
        calls.append("flush")
        flush(descriptor)

    def record_rename(source: Path, target: Path) -> None:
        calls.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", record_flush)
    monkeypatch.setattr(os, "replace", record_rename)
    write_atomically(tmp_path / "file", lambda temporary: temporary.write_text("text"))
    assert calls == ["flush", "rename", "flush"], "the file, its name, and the folder that holds the name"


def test_a_link_is_relative_and_can_be_moved_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "one" / "run").mkdir(parents=True)
    target, link = tmp_path / "one" / "run" / "step.pt", tmp_path / "one" / "latest.pt"
    for text in ("first", "second"):
        target.write_text(text)
        point_to(link, target)
    (tmp_path / "one").rename(tmp_path / "two")
    moved = tmp_path / "two" / "latest.pt"
    assert moved.is_symlink()
    assert moved.read_text() == "second"


def test_a_copy_where_links_do_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    target, link = tmp_path / "step.pt", tmp_path / "latest.pt"
    target.write_text("text")
    point_to(link, target)
    assert not link.is_symlink()
    assert link.read_text() == "text"


def fail_to_flush(monkeypatch: pytest.MonkeyPatch, number: int, *, folders: bool) -> None:
    flush = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == folders:
            raise OSError(number, os.strerror(number))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
def test_a_file_is_written_although_its_folder_cannot_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fail_to_flush(monkeypatch, number, folders=True)
    write_atomically(tmp_path / "file", lambda temporary: temporary.write_text("text"))
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_is_written_where_no_file_can_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fail_to_flush(monkeypatch, number, folders=False)
    write_atomically(tmp_path / "file", lambda temporary: temporary.write_text("text"))
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize("folders", [True, False], ids=["folder", "file"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, folders: bool
) -> None:
    fail_to_flush(monkeypatch, number, folders=folders)
    with pytest.raises(OSError, match=os.strerror(number)):
        write_atomically(tmp_path / "file", lambda temporary: temporary.write_text("text"))


def test_a_file_is_flushed_where_that_takes_a_descriptor_that_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a system refuses others with EBADF: that a file was not flushed is never passed over."""
    flush = os.fsync

    def fsync(descriptor: int) -> None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "file", lambda temporary: temporary.write_text("text"))
    assert (tmp_path / "file").read_text() == "text"
    fail_to_flush(monkeypatch, errno.EBADF, folders=False)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        write_atomically(tmp_path / "other", lambda temporary: temporary.write_text("text"))
    assert not (tmp_path / "other").exists()


def test_containers_with_the_same_process_ids_write_into_one_folder(tmp_path: Path) -> None:
    """Each container's trainer is process 1, and latest.pt is one for all runs: here one writes while another does."""
    path = tmp_path / "latest.pt"

    def write(temporary: Path) -> None:
        temporary.write_text("first")
        write_atomically(path, lambda other: other.write_text("second"))

    write_atomically(path, write)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]
    assert temporary_name(path).match(".latest.pt.*.tmp"), "what a killed training leaves is found by that"


def test_a_folder_may_be_written_but_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root opens any folder, its refusal is played."""
    open_any = os.open

    def open_files(path: Path, flags: int) -> int:
        if path.is_dir():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return open_any(path, flags)

    monkeypatch.setattr(os, "open", open_files)
    write_atomically(tmp_path / "file", lambda temporary: temporary.write_text("text"))
    assert (tmp_path / "file").exists()


def test_a_link_that_cannot_be_replaced_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "latest.pt").mkdir()
    with pytest.raises(OSError, match="directory"):
        point_to(tmp_path / "latest.pt", tmp_path / "step.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["latest.pt"]


def test_what_cannot_be_looked_at_is_one_sentence(tmp_path: Path) -> None:
    assert not is_file(tmp_path / "missing")
    with pytest.raises(UserError, match=r"cannot be read \(File name too long\): ask its owner, or give another path"):
        is_file(tmp_path / ("long" * 1000))
