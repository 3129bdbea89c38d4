"""File locks that the kernel releases when their process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_POLL_S = 0.1


class Lock:
    """A lock on a file that one process at a time can hold, or any number of those that share it."""

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        """Set the file, which the first ``try_acquire`` creates; its content is not used."""
        self._path = path
        self._kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        self._handle: int | None = None

    def try_acquire(self) -> bool:
        """Acquire the lock if it is free; return whether this object holds it now.

        Raises:
            OSError: If the file cannot be created or opened.
        """
        if self._handle is not None:
            return True
        handle = self._open()
        try:
            fcntl.flock(handle, self._kind | fcntl.LOCK_NB)
            # The previous owner may have removed the file between our open and our lock. Another process would then
            # create a new file and lock that one, so a lock on the removed file protects nothing.
            is_current = os.path.samestat(os.fstat(handle), self._path.stat())
        except (BlockingIOError, FileNotFoundError):
            is_current = False
        except BaseException:
            os.close(handle)
            raise
        if not is_current:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def acquire(self) -> None:
        """Acquire the lock, waiting until it is free.

        Raises:
            OSError: If the file cannot be created or opened.
        """
        while not self.try_acquire():
            time.sleep(_POLL_S)

    def _open(self) -> int:
        # The folder may be writable by every user. A symbolic link there could make us create a file elsewhere.
        flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe of this name does not block
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | flags, 0o666)
        except PermissionError:
            return os.open(self._path, os.O_RDONLY | flags)  # a file of another user can be locked without writing

    def release(self, *, remove: bool = False) -> None:
        """Release the lock if it is held, and remove its file before that if ``remove`` is true."""
        if self._handle is None:
            return
        if remove:
            with suppress(OSError):  # in a folder that users share, it may be the file of another one
                self._path.unlink()
        os.close(self._handle)
        self._handle = None
