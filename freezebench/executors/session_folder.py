"""The temporary folder of a session's workers, and the removal of those that killed sessions left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, one_line
from freezebench.records.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "freezebench-session-"


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
            "--freeze-isolate=run share frozen prefixes. Free space there, set TMPDIR to another folder, or name one "
            "with --freeze-prefix-cache."
        ) from error
