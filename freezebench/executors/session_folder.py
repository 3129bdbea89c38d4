"""The temporary folder of a session's workers, and the removal of those that killed sessions left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, one_line
from freezebench.records.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "freezebench-session-"
_JOIN_TIMEOUT_S, _POLL_S = 10.0, 0.05


def make_session_folder() -> tuple[Path, Lock]:
    """Return a new folder and the lock that marks its session as alive.

    Raises:
        OSError: If nothing can be written there.
    """
    # Locked under a hidden name and then renamed; otherwise a session that starts in between would remove it.
    hidden = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
    lock = Lock(hidden / "lock")
    try:
        lock.try_acquire()
    except OSError:
        hidden.rmdir()
        raise
    return hidden.rename(hidden.with_name(hidden.name.removeprefix("."))), lock


def remove_folders_of_killed_sessions() -> None:
    """Remove the folders whose sessions are dead, which may fill the disk."""
    with suppress(OSError):  # there is no folder for temporary files
        for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _remove_if_dead(path)


def _remove_if_dead(path: Path) -> None:
    with suppress(OSError):
        lock = Lock(path / "lock")
        # The kernel drops a lock with its process: what can be locked belongs to no living session.
        if path.stat().st_uid == os.getuid() and lock.try_acquire():
            shutil.rmtree(path, ignore_errors=True)
            lock.release()


class SharedFolder:
    """A folder that processes of one session share, which several of them start; the last one to leave removes it.

    Attributes:
        path: The folder.
    """

    def __init__(self, session: str) -> None:
        """Make the folder of a session, or join those that use it.

        Raises:
            OSError: If nothing can be written there.
        """
        remove_folders_of_killed_sessions()
        self.path = Path(tempfile.gettempdir()) / f"{_PREFIX}{session}"
        self._lock = Lock(self.path / "lock", is_shared=True)
        deadline = time.monotonic() + _JOIN_TIMEOUT_S
        while not self._join():
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process holds {self.path}")
            time.sleep(_POLL_S)

    def leave(self) -> None:
        """Remove the folder if no other process uses it."""
        self._lock.release()
        _remove_if_dead(self.path)

    def _join(self) -> bool:
        """Return whether this process uses the folder now; one that leaves may remove it at the same time."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            return self._lock.try_acquire()
        return False


@contextmanager
def session_folder_errors() -> Iterator[None]:
    """Turn the error of a folder for temporary files that cannot be used into one that says what to do.

    Raises:
        FreezebenchError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise FreezebenchError(
            f"nothing can be written to the folder for temporary files ({one_line(error)}), in which the processes of "
            "--freeze-devices or --freeze-isolate=run share frozen prefixes. Free space there, set TMPDIR to another "
            "folder, or name one with --freeze-prefix-cache."
        ) from error
