"""What commands write to standard output and error, and what happens where it cannot be written."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from freezebench.escaping import terminal_line

if TYPE_CHECKING:
    from collections.abc import Iterable


def write(text: str) -> None:
    """Write a text to standard output; nothing where the caller has closed it before the start (``>&-``)."""
    # The type stubs do not say that it may be None.
    stream: object = sys.stdout
    if stream is not None:
        sys.stdout.write(text)


def write_lines(lines: Iterable[str]) -> None:
    """Write lines, whose texts come from files and arguments, to standard output."""
    write("".join(f"{terminal_line(line)}\n" for line in lines))


def write_error(line: str) -> None:
    """Write a line, whose text comes from files and arguments, to standard error."""
    stream: object = sys.stderr
    if stream is not None:
        sys.stderr.write(f"{terminal_line(line)}\n")


def flush_output() -> None:
    """Write what is still buffered, so that an error comes here and not as Python exits."""
    stream: object = sys.stdout
    if stream is not None:
        sys.stdout.flush()


def close_output() -> None:
    """Send what is still buffered nowhere: Python would try to write it as it exits, and fail again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # no file behind it, or none at all
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
