"""Allocation of cached hidden states: in memory up to a limit, beyond it in temporary files mapped into memory."""

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


class OutOfSpaceError(Exception):
    """The disk has no space for hidden states that exceed the memory limit."""


class SpillingAllocator:
    """Allocates tensors in memory up to a limit, then in memory-mapped temporary files."""

    def __init__(self, limit_bytes: int) -> None:
        """Allocate up to ``limit_bytes`` in memory."""
        self._free_bytes = limit_bytes

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """Count the memory that a block allocated as free again if the block fails."""
        free_bytes = self._free_bytes
        try:
            yield
        except BaseException:
            self._free_bytes = free_bytes
            raise

    def allocate(self, shape: tuple[int, int], dtype: torch.dtype, maps: list[mmap.mmap]) -> torch.Tensor:
        """Return an uninitialized tensor; if it is in a file, the file's map is added to ``maps``.

        Raises:
            OutOfSpaceError: If the disk has no space for it.
        """
        num_bytes = shape[0] * shape[1] * dtype.itemsize
        if num_bytes <= self._free_bytes:
            self._free_bytes -= num_bytes
            return torch.empty(shape, dtype=dtype)
        try:
            maps.append(_mapped_file(num_bytes))
        except OSError as error:
            raise OutOfSpaceError(
                f"there is no space for {bytes_text(num_bytes)} of hidden states among temporary files "
                f"({error.strerror or error}). Free space there, set TMPDIR to another folder, or raise "
                "--freeze-cache-memory"
            ) from error
        return torch.frombuffer(maps[-1], dtype=dtype).view(shape)


def release_pages(maps: Iterable[mmap.mmap]) -> None:
    """Remove mapped files from this process's resident memory; what was written stays in the files."""
    for mapped in maps:
        # The system would remove the pages under memory pressure anyway; until then peak memory would count them.
        mapped.madvise(mmap.MADV_DONTNEED)


def _mapped_file(num_bytes: int) -> mmap.mmap:
    """Return the map of a new temporary file whose size is reserved on the disk.

    The file has no name, so that nothing is left behind however this process ends; the map keeps it alive.

    Raises:
        OSError: If there is no space, or no folder to write to.
    """
    # The map holds a reference to the file: it may be closed at the end of the block.
    with tempfile.TemporaryFile(prefix="freezebench-prefix-") as file:
        file.truncate(num_bytes)
        if hasattr(os, "posix_fallocate"):
            try:
                # Without a reservation, a write into the map of a file on a full disk ends the process by SIGBUS.
                os.posix_fallocate(file.fileno(), 0, num_bytes)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
        return mmap.mmap(file.fileno(), num_bytes)
