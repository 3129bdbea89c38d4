"""Folders that are checked before anything is trained, and files that are read and written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from freezebench.errors import RecordError, SettingsError
from freezebench.records.files import prepare_folder, read_bounded, remove_unfinished, usual_modes, write_whole


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file in the way is said before anything is trained."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match="cannot write there"):
        prepare_folder(blocked / "report", "--freeze-report")


def test_files_of_killed_processes_are_removed_a_day_later(tmp_path: Path) -> None:
    """One that is written now stays, and so does everything of another name, and a folder."""
    old, new = (tmp_path / f".tmp-{digit * 16}" for digit in "01")
    foreign, folder = tmp_path / ".tmp-notes", tmp_path / f".tmp-{'2' * 16}"
    folder.mkdir()
    for path in (old, new, foreign):
        path.write_text("", encoding="utf-8")
    for path in (old, foreign, folder):
        os.utime(path, (time.time() - 25 * 3600,) * 2)
    remove_unfinished(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([new, foreign, folder])


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "long name": (lambda folder: folder / ("a" * 300), "File name too long"),
    "NUL": (lambda folder: folder / "a\0b", "embedded null byte"),
    "file": (lambda folder: folder / "file", "it is no folder"),
    "inside a file": (lambda folder: folder / "file" / "x", "Not a directory"),
    "pipe": (lambda folder: folder / "pipe", "it is no folder"),
    "device": (lambda _: Path("/dev/null"), "it is no folder"),
    "loop": (lambda folder: folder / "loop", "it is no folder"),
    "inside a loop": (lambda folder: folder / "loop" / "x", "Too many levels of symbolic links"),
    "no file system for it": (lambda _: Path("/proc/x"), "No such file or directory"),
}


@pytest.mark.parametrize("may_be_read_only", [False, True])
@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_is_no_folder_is_refused(tmp_path: Path, kind: str, may_be_read_only: bool) -> None:
    """In one sentence, whoever runs it."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    make, reason = HOSTILE[kind]
    with pytest.raises(SettingsError) as caught:
        prepare_folder(make(tmp_path), "--freeze-store", may_be_read_only=may_be_read_only)
    assert str(caught.value).endswith(f": cannot write there ({reason}). Name another folder.")


@pytest.mark.parametrize("may_be_read_only", [False, True])
@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO], ids=errno.errorcode.get
)
def test_a_full_disk_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    may_be_read_only: bool,
) -> None:
    """A folder that can only be read may hold runs to reuse; a full disk needs space."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    if may_be_read_only and number in (errno.EROFS, errno.EACCES):
        prepare_folder(tmp_path, "--freeze-store", may_be_read_only=True)
        return
    with pytest.raises(SettingsError, match=os.strerror(number)):
        prepare_folder(tmp_path, "--freeze-store", may_be_read_only=may_be_read_only)


_FILL = """
mount -t tmpfs -o size=64k tmpfs "$1" || exit 77
cat /dev/zero > "$1/filled" 2>/dev/null
exec "$2" -c "$3" "$1"
"""
_PREPARE = """
import sys
from pathlib import Path
from freezebench.errors import SettingsError
from freezebench.records.files import prepare_folder
for folder, is_old in ((Path(sys.argv[1], "store"), False), (Path(sys.argv[1]), True)):
    try:
        prepare_folder(folder, "--freeze-store", may_be_read_only=True)
    except SettingsError as error:
        print(error)
"""


def test_a_full_file_system_is_noticed(tmp_path: Path) -> None:
    """An empty file can be made there, but nothing can be written to it."""
    command = ["unshare", "-m", "sh", "-c", _FILL, "sh", str(tmp_path), sys.executable, _PREPARE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if done.returncode in (1, 77):
        pytest.skip("only root can mount a small file system, and not in every container")
    lines = [
        f"--freeze-store={path}: cannot write there (No space left on device). Name another folder."
        for path in (tmp_path / "store", tmp_path)
    ]
    assert done.stdout.splitlines() == lines, done.stderr


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002], ids=oct)
def test_the_umask_decides_who_reads_a_file(tmp_path: Path, mask: int) -> None:
    """A file that replaces another one has the mode that any new file has."""
    path = tmp_path / "file"
    before = os.umask(mask)
    try:
        for content in ("one", "two"):
            write_whole(path, content)
            assert path.stat().st_mode & 0o777 == 0o666 & ~mask
        assert usual_modes(tmp_path) == (0o666 & ~mask, 0o777 & ~mask)
    finally:
        os.umask(before)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_only_regular_files_of_limited_size_are_read(tmp_path: Path) -> None:
    """Nothing is opened that would block, and nothing is read beyond the limit."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(RecordError, match="it is a pipe, a socket or a device, not a file"):
            read_bounded(path, 10)
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path, 10)
    (tmp_path / "large").write_bytes(b"12345")
    assert read_bounded(tmp_path / "large", 5) == b"12345"
    with pytest.raises(RecordError, match="it is larger than 0 MB"):
        read_bounded(tmp_path / "large", 4)
    with pytest.raises(RecordError, match="it is larger than 0 MB"):
        read_bounded(Path("/proc/self/status"), 10)  # whose size is 0 until it is read
