"""Turns at a device, first come, first served, across all processes and users of a machine.

Who wants the device takes a ticket: a file with the next number, on which it holds a lock of the kernel. The lowest
number has its turn, and a ticket whose lock is free is void, since its process has ended, however it ended. Numbers are
given and tickets are looked at while the folder itself is locked, which takes less than a millisecond.

The folder is the same for all sessions of a machine, so that any user may write to it, and it may hold anything. Links
are not followed, no content is read, and nothing but void tickets is removed. Whatever cannot be opened is no ticket.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# Containers that share devices, but no folder for temporary files, can share one that this variable names.
FOLDER_VARIABLE = "FREEZEBENCH_LOCK_DIR"

# The same whatever TMPDIR says: a cluster's scheduler sets one for each job.
_FOLDER = Path("/tmp/freezebench-devices")  # noqa: S108 - links are refused, and no content is read
_ROOT = 0
_MODE = 0o1777  # anyone may add files, and remove their own
_MODE_OF_TICKET = 0o644  # whatever the umask: other users open a ticket to see whether it is locked
_LOCKED_FOR_S = 10.0  # nobody locks the folder that long, but for a process that was stopped, or means harm
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe in place of a ticket does not block


class Ticket:
    """A place in the queue for a device, until it is given back or this process ends."""

    def __init__(self, device: str) -> None:
        """Take the next number.

        Args:
            device: What distinguishes the device from all others of this machine.

        Raises:
            OSError: If there is no folder in which tickets can be kept.
        """
        self._device = re.sub(r"[^A-Za-z0-9]+", "-", device)
        self._folder = _shared_folder()
        with _locked(self._folder) as folder:
            self.number = max(self._tickets(folder), default=0) + 1
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN
            self._handle = os.open(self._name(self.number), flags, _MODE_OF_TICKET, dir_fd=folder)
            try:
                os.fchmod(self._handle, _MODE_OF_TICKET)
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BaseException:
                self.give_back()
                raise

    def is_first(self, besides: Collection[int] = ()) -> bool:
        """Return whether no valid ticket has a lower number; void ones are removed.

        Args:
            besides: Numbers that do not count.

        Raises:
            OSError: If the tickets can no longer be looked at.
        """
        with _locked(self._folder) as folder:
            for number in self._tickets(folder):
                if number >= self.number:
                    break
                if number not in besides:
                    if self._is_valid(number, folder):
                        return False
                    with suppress(OSError):  # another user's, or a folder of this name
                        os.unlink(self._name(number), dir_fd=folder)
        return True

    def is_followed(self) -> bool:
        """Return whether a valid ticket has a higher number.

        Raises:
            OSError: If the tickets can no longer be looked at.
        """
        with _locked(self._folder) as folder:
            higher = [number for number in self._tickets(folder) if number > self.number]
            return any(self._is_valid(number, folder) for number in higher)

    def give_back(self) -> None:
        """Leave the queue."""
        with suppress(OSError), _opened(self._folder) as folder:
            os.unlink(self._name(self.number), dir_fd=folder)
        os.close(self._handle)

    def _name(self, number: int) -> str:
        return f"{self._device}.{number}"

    def _tickets(self, folder: int) -> list[int]:
        """Return the numbers of all tickets for the device, the lowest first."""
        prefix = f"{self._device}."
        numbers = (name.removeprefix(prefix) for name in os.listdir(folder) if name.startswith(prefix))
        # Only as they are written here: 007 is not ours, and there are more decimal digits than ten.
        return sorted(int(number) for number in numbers if re.fullmatch("[1-9][0-9]*", number))

    def _is_valid(self, number: int, folder: int) -> bool:
        """Return whether a process holds a ticket."""
        try:
            handle = os.open(self._name(number), os.O_RDONLY | _OPEN, dir_fd=folder)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(handle)
        return False


def _shared_folder() -> Path:
    """Return the folder in which all sessions of this machine keep their tickets, which is created if need be.

    Raises:
        OSError: If there is none.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    usual = [_FOLDER, Path(tempfile.gettempdir()) / _FOLDER.name]
    for folder in ([Path(named)] if named else []) + usual:
        with suppress(OSError):
            is_new = _made(folder)
            with _opened(folder) as handle:
                if is_new:
                    os.fchmod(handle, _MODE)
            return folder
    raise OSError(f"no folder for the locks of devices can be made, such as {_FOLDER}")


def _made(folder: Path) -> bool:
    """Make a folder, and return whether it did not exist."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Open a folder and return its descriptor: names are looked up in it, whatever its path leads to later.

    Raises:
        OSError: If it is a link, cannot be written, or any user can exchange the files of others.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        is_safe = status.st_uid in {_ROOT, os.geteuid()} or status.st_mode & stat.S_ISVTX
        if not is_safe or not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "this folder cannot be shared", str(folder))
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Lock the folder and return its descriptor: nobody else takes or looks at tickets meanwhile.

    Raises:
        OSError: If the folder is gone, or is not to be locked.
    """
    with _opened(folder) as handle:
        began = time.monotonic()
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - began > _LOCKED_FOR_S:
                    raise
                time.sleep(0.001)
        yield handle
