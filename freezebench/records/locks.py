"""Locks that die with their owner: the kernel drops them, however a process ends."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOOK_EVERY_S = 0.5


class Lock:
    """A lock on a file, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        """Name the file, which is made when it is needed: its content says nothing."""
        self._path = path
        self._handle: int | None = None

    def try_take(self) -> bool:
        """Take the lock if nobody has it; return whether it is held now.

        Raises:
            OSError: If the file cannot be made or opened.
        """
        if self._handle is not None:
            return True
        handle = self._opened()
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last owner may have removed the file in between: then this is a lock on nothing.
            is_file = os.path.samestat(os.fstat(handle), self._path.stat())
        except (BlockingIOError, FileNotFoundError):
            is_file = False
        except BaseException:
            os.close(handle)
            raise
        if not is_file:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def take(self, waits: Callable[[], None]) -> None:
        """Take the lock once nobody else has it.

        Args:
            waits: Called once if somebody has it.

        Raises:
            OSError: If the file cannot be made or opened.
        """
        if not self.try_take():
            waits()
            while not self.try_take():
                time.sleep(_LOOK_EVERY_S)

    def _opened(self) -> int:
        # Anyone on this machine may have made it; a link is somebody's trick.
        safely = os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | safely, 0o666)
        except PermissionError:
            return os.open(self._path, os.O_RDONLY | safely)  # somebody else's file can be locked all the same

    def drop(self, *, remove: bool = False) -> None:
        """Give the lock up, and remove its file first if that is asked for."""
        if self._handle is None:
            return
        if remove:
            self._path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None
