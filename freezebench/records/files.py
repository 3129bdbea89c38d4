"""Checks of folders, atomic writing of files, and the conversion of values to JSON types."""

from __future__ import annotations

import errno
import math
import os
import re
import secrets
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Protocol, overload, runtime_checkable

from freezebench.errors import RecordError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from _typeshed import DataclassInstance

    from freezebench.specs.json_types import Json

_PROBE_BYTES = 2**16
_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}")
_UNFINISHED_FOR_S = 24 * 3600  # far longer than a file takes, and than the clocks of two machines differ
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@runtime_checkable
class _HasToJson(Protocol):
    """A value with a JSON form of its own."""

    def to_json(self) -> dict[str, Json]:
        """Return the value in JSON types."""


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file of limited size.

    Raises:
        OSError: If it cannot be read.
        RecordError: If it is larger, or no regular file; its message is a clause.
    """
    # Opening a pipe would block for ever, and opening a device may do anything.
    _check_regular(path.stat())
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)  # another process may have replaced the file
        _check_regular(status)
        content = file.read(max_bytes + 1) if status.st_size <= max_bytes else None
    if content is None or len(content) > max_bytes:
        raise RecordError(f"it is larger than {max_bytes // 10**6} MB")
    return content


def _check_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise RecordError("it is a pipe, a socket or a device, not a file")


def refuse_link(folder: Path) -> None:
    """Make sure that a folder inside one of ours is no symbolic link, which would lead out of it.

    Raises:
        OSError: If it is one.
    """
    if folder.is_symlink():
        raise OSError(errno.ELOOP, f"{folder} is a symbolic link, which is not followed: remove it")


@contextmanager
def new_file(folder: Path, content: bytes) -> Iterator[Path]:
    """Yield a new file with some content, flushed to disk, under a temporary name; it is removed if it is still there.

    Raises:
        OSError: If it cannot be written.
    """
    path = folder / f".tmp-{secrets.token_hex(8)}"
    # The functions of tempfile let nobody but the owner read. Here the umask decides, as for any other file.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote, a day later at the earliest."""
    for path in folder.glob(".tmp-*"):
        with suppress(OSError):  # another user's, or a folder of this name
            is_old = time.time() - path.lstat().st_mtime > _UNFINISHED_FOR_S
            if is_old and _TEMPORARY.fullmatch(path.name):
                path.unlink()


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file atomically: a process that reads it meanwhile gets the whole new file, or the old one.

    Raises:
        OSError: If the file cannot be written; the old one is then unchanged.
    """
    # A file that is written next to its destination can be renamed over it in one step, whatever happens in between.
    with new_file(path.parent, content.encode() if isinstance(content, str) else content) as file:
        file.replace(path)


def usual_modes(folder: Path) -> tuple[int, int]:
    """Return the modes that new files and new folders get in a folder, which depend on the process's umask.

    Raises:
        OSError: If nothing can be written there.
    """
    # A process can read its umask only by setting it, which other threads would notice.
    with new_file(folder, b"") as file:
        mode = stat.S_IMODE(file.stat().st_mode)
    return mode, mode | (mode & 0o444) >> 2


def check_writable(folder: Path) -> None:
    """Check that files could be written to a folder, which need not be there yet and is not made.

    Raises:
        OSError: If they could not.
    """
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    with tempfile.TemporaryFile(dir=existing):
        pass


def prepare_folder(folder: Path, option: str, *, may_be_read_only: bool = False) -> None:
    """Create a folder and check that files can be written there.

    Args:
        folder: The folder.
        option: The option that names it, for the message.
        may_be_read_only: Whether an existing folder that nothing can be written to is of use, too.

    Raises:
        SettingsError: If files cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))  # on a full disk, an empty file can still be made
    except (OSError, ValueError) as error:
        if may_be_read_only and getattr(error, "errno", None) in _READ_ONLY and os.path.isdir(folder):  # noqa: PTH112
            return
        reason = "it is no folder" if isinstance(error, FileExistsError) else getattr(error, "strerror", None) or error
        raise SettingsError(f"{option}={folder}: cannot write there ({reason}). Name another folder.") from error


@overload
def plain(value: DataclassInstance | Mapping[str, object]) -> dict[str, Json]: ...


@overload
def plain(value: object) -> Json: ...


def plain(value: object) -> Json:
    """Return a value in JSON types; numbers that are not finite become ``None``, since JSON cannot represent them."""
    # Numbers and texts first: predictions and losses make up most of a record.
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, _HasToJson):
        return value.to_json()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")
