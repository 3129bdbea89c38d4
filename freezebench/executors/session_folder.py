"""The temporary folder of a session's workers, and the removal of those that killed sessions left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.records.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "freezebench-session-"


def make_session_folder() -> tuple[Path, Lock]:
    """Return a new folder and the lock that marks its session as alive; folders of killed sessions are removed.

    Raises:
        OSError: If nothing can be written there.
    """
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = Lock(path / "lock")
            # The kernel drops a lock with its process: what can be locked belongs to no living session.
            if path.stat().st_uid == os.getuid() and lock.try_acquire():
                shutil.rmtree(path, ignore_errors=True)
                lock.release()
    # Locked under a hidden name and then renamed; otherwise a session that starts in between would remove it.
    hidden = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
    lock = Lock(hidden / "lock")
    try:
        lock.try_acquire()
    except OSError:
        hidden.rmdir()
        raise
    return hidden.rename(hidden.with_name(hidden.name.removeprefix("."))), lock


@contextmanager
def worker_errors() -> Iterator[None]:
    """Turn the errors of a full disk or of too many processes into a FreezebenchError that says what to do.

    Raises:
        FreezebenchError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise FreezebenchError(
            f"no process to train in can be started ({error}). Free space in {tempfile.gettempdir()}, or set TMPDIR to "
            "another folder."
        ) from error
