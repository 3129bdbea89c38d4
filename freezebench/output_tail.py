"""The end of what a process prints, kept in memory: no disk that is full, and no talkative model, is in the way."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

_CHUNK_BYTES = 2**16  # the capacity of a pipe on Linux
_KEPT_BYTES = 2**16


class OutputTail:
    """The end of a process's standard output, into which its standard error goes as well."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - Popen made it: stdout=PIPE
        self._pipe = process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._kept = bytearray()

    def fileno(self) -> int:
        """Return the pipe's descriptor, to wait for."""
        return self._pipe.fileno()

    def read(self) -> bool:
        """Read what the pipe holds; return whether more may come."""
        with suppress(BlockingIOError):
            while chunk := os.read(self._pipe.fileno(), _CHUNK_BYTES):
                self._kept += chunk
                del self._kept[:-_KEPT_BYTES]
            return False
        return True

    @property
    def text(self) -> str:
        """What was read, as far as it is kept."""
        return self._kept.decode(errors="replace")

    @property
    def last_line(self) -> str:
        """The last line, of those that name an error if there are any; empty if nothing was printed."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        return (errors or lines or [""])[-1]

    def close(self) -> None:
        """Close the pipe."""
        with suppress(OSError):
            self._pipe.close()
