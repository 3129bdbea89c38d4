"""High-water marks that exist once per process, shared by windows that may be nested."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class PeakRegister:
    """A high-water mark of this process that can be read and reset, shared by several windows.

    Opening a window resets the mark, which would lose a peak of the windows that are open already. So the register
    stores the value of the mark for each open window before it resets the mark::

        outer opens   peak 8 GB   inner opens: 8 GB stored for outer, reset   peak 3 GB   inner closes: 3 GB
    """

    def __init__(self, *, read: Callable[[], int], reset: Callable[[], None]) -> None:
        self._read = read
        self._reset = reset
        self._open: dict[object, int] = {}
        self._lock = threading.Lock()

    def open(self) -> object:
        """Reset the mark and return the token of a new window.

        Raises:
            OSError: If this process may not read or reset the mark; no window is opened then.
        """
        with self._lock:
            self._credit()
            self._reset()
            # Tokens rather than a stack, since windows of several threads may close in any order.
            token = object()
            self._open[token] = 0
            return token

    def close(self, token: object) -> int:
        """Close the window of ``token`` and return the highest value since it was opened.

        Raises:
            OSError: If the mark cannot be read; the window is closed nevertheless.
        """
        with self._lock:
            try:
                self._credit()
            finally:
                peak = self._open.pop(token)
            return peak

    def _credit(self) -> None:
        """Store the current mark for every open window."""
        value = self._read()
        for token, peak in self._open.items():
            self._open[token] = max(peak, value)
