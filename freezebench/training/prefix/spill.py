"""Room for cached outputs: memory up to a limit, then temporary files that are mapped into memory."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from freezebench.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_UNSUPPORTED = {errno.EINVAL, errno.EOPNOTSUPP}


class NoRoomError(Exception):
    """There is no room on the disk for cached outputs that memory is not to take."""


class Room:
    """What is left of the memory for cached outputs; the disk takes the rest."""

    def __init__(self, limit_bytes: int) -> None:
        """Give away up to ``limit_bytes`` of memory."""
        self._left = limit_bytes

    @contextmanager
    def given_back_on_failure(self) -> Iterator[None]:
        """Count what was taken in a block that fails as free again."""
        left = self._left
        try:
            yield
        except BaseException:
            self._left = left
            raise

    def take(self, shape: tuple[int, int], dtype: torch.dtype, maps: list[mmap.mmap]) -> torch.Tensor:
        """Return room for a tensor: memory up to the limit, then a file, whose map is added to ``maps``.

        Raises:
            NoRoomError: If there is none on the disk.
        """
        num_bytes = shape[0] * shape[1] * dtype.itemsize
        if num_bytes <= self._left:
            self._left -= num_bytes
            return torch.empty(shape, dtype=dtype)
        try:
            maps.append(_mapped_file(num_bytes))
        except OSError as error:
            raise NoRoomError(
                f"{bytes_text(num_bytes)} of outputs find no room among temporary files ({error.strerror or error}). "
                "Free space there, set TMPDIR to another folder, or raise --freeze-cache-memory"
            ) from error
        return torch.frombuffer(maps[-1], dtype=dtype).view(shape)


def release(maps: Iterable[mmap.mmap]) -> None:
    """Let mapped files leave this process's resident memory; what was written stays in the file."""
    for one in maps:
        one.madvise(mmap.MADV_DONTNEED)


def _mapped_file(num_bytes: int) -> mmap.mmap:
    """Return the map of a new temporary file, for all of which the disk has room.

    The file has no name, so that nothing is left behind whatever ends this process; the map keeps it alive.

    Raises:
        OSError: If there is no room, or no folder to write to.
    """
    with tempfile.TemporaryFile(prefix="freezebench-prefix-") as file:
        file.truncate(num_bytes)
        if hasattr(os, "posix_fallocate"):
            try:
                # Where the disk turns out to be full at a write into the map, SIGBUS ends the process.
                os.posix_fallocate(file.fileno(), 0, num_bytes)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
        return mmap.mmap(file.fileno(), num_bytes)
