"""Peaks that the system keeps once per process, shared by windows that may nest."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class PeakRegister:
    """A high-water mark of this process that can be read and reset, used by several windows at once.

    Opening an inner window resets the mark, so the value until then is credited to the windows that are already open:
    otherwise an outer window would lose a peak that came before the inner one.
    """

    def __init__(self, *, read: Callable[[], int], reset: Callable[[], None]) -> None:
        self._read = read
        self._reset = reset
        self._open: dict[object, int] = {}
        self._lock = threading.Lock()

    def open(self) -> object:
        """Reset the mark and return the token of a new window.

        Raises:
            OSError: If the system does not let this process read or reset the mark; nothing was opened then.
        """
        with self._lock:
            self._credit()
            self._reset()
            token = object()
            self._open[token] = 0
            return token

    def close(self, token: object) -> int:
        """Return the highest value since ``token`` was opened, and end its window.

        Raises:
            OSError: If the mark cannot be read; the window is ended all the same.
        """
        with self._lock:
            try:
                self._credit()
            finally:
                peak = self._open.pop(token)
            return peak

    def _credit(self) -> None:
        value = self._read()
        for token, peak in self._open.items():
            self._open[token] = max(peak, value)
