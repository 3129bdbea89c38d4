"""Why no process to train in can be started, as one sentence with what to do."""

from __future__ import annotations

import errno
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_END_PROGRAMS = "End other programs of this user, or raise the limit on processes (ulimit -u)."
_ADVICE = {
    errno.EAGAIN: _END_PROGRAMS,
    errno.EMFILE: "Close files that tests keep open, or raise the limit on open files (ulimit -n).",
    errno.ENFILE: "The whole system has too many open files: end other programs.",
    errno.ENOMEM: "Free memory, or raise the limit on memory (ulimit -v).",
    errno.E2BIG: "Unset environment variables that are long.",
}


@contextmanager
def start_errors() -> Iterator[None]:
    """Turn what the operating system refuses into a FreezebenchError that says what to do.

    Raises:
        FreezebenchError: In place of an OSError, or of the RuntimeError of a thread that cannot start.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = errno.EAGAIN if isinstance(error, RuntimeError) else error.errno
        interpreter = f"Correct the installation of this Python ({sys.executable or 'no path'})"
        advice = _ADVICE.get(number or 0, f"{interpreter}, or use --freeze-isolate=none.")
        raise FreezebenchError(f"no process to train in can be started: {one_line(error)}. {advice}") from error
