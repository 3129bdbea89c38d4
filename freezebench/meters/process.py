"""Resident memory of this process: its peak within a window and its size at the start."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from freezebench.meters.peaks import PeakRegister
from freezebench.records.reading import Reading

_SOURCE = "VmHWM (/proc/self/status)"
_RSS_SOURCE = "VmRSS (/proc/self/status)"


class ProcessMemory:
    """The kernel's figures of this process's memory, in bytes.

    ``ru_maxrss`` is not used, because a child process inherits its parent's peak there (318 MB instead of 8.7 MB).
    """

    def __init__(self, proc: Path = Path("/proc/self")) -> None:
        self._status = proc / "status"
        self._clear_refs = proc / "clear_refs"
        self.peaks = PeakRegister(read=self.high_water_bytes, reset=self.reset_high_water)

    def high_water_bytes(self) -> int:
        """Return the largest resident size since the process started or the mark was reset.

        Raises:
            OSError: If the system does not provide it.
        """
        return self._field("VmHWM")

    def resident_bytes(self) -> int:
        """Return the current resident size.

        Raises:
            OSError: If the system does not provide it.
        """
        return self._field("VmRSS")

    def reset_high_water(self) -> None:
        """Reset the high-water mark to the current resident size (Linux 4.0 and newer).

        Raises:
            OSError: If the kernel does not support it or does not permit it.
        """
        self._clear_refs.write_text("5")  # see "clear_refs" in proc(5)

    def _field(self, name: str) -> int:
        match = re.search(rf"^{name}:\s*(\d+) kB$", self._status.read_text(), re.MULTILINE)
        if match is None:
            raise OSError(f"{self._status} has no {name}")
        return int(match[1]) * 1024


# The kernel has one high-water mark per process, so all windows of this process share this register.
THIS_PROCESS = ProcessMemory()


class ProcessMeter:
    """Peak resident memory over one window (``peak_rss_bytes``), and the size at its start (``start_rss_bytes``).

    The size at the start is recorded because a process that trains several runs keeps its heap, which the next run has
    not caused. If the mark cannot be reset but rises within the window, it is the peak of the window. If it does not
    rise, it is only an upper bound, and the peak is not measured.
    """

    def __init__(self, memory: ProcessMemory = THIS_PROCESS) -> None:
        self._memory = memory
        self._start = _absent(_RSS_SOURCE, "the window was not opened")
        self._token: object | None = None
        self._mark_at_start: int | None = None
        self._reset_error = "the window was not opened"

    def start(self) -> None:
        """Reset the peak and record the resident memory."""
        try:
            self._start = Reading(value=self._memory.resident_bytes(), unit="B", source=_RSS_SOURCE)
            self._mark_at_start = self._memory.high_water_bytes()
        except OSError as error:
            self._start = _absent(_RSS_SOURCE, _no_proc(error))
        try:
            self._token = self._memory.peaks.open()
        except OSError as error:
            self._reset_error = str(error)

    def stop(self) -> dict[str, Reading]:
        """Return ``peak_rss_bytes`` and ``start_rss_bytes``."""
        return {"peak_rss_bytes": self._peak(), "start_rss_bytes": self._start}

    def _peak(self) -> Reading:
        try:
            if self._token is not None:
                peak = self._memory.peaks.close(self._token)
                return Reading(value=peak, unit="B", source=f"{_SOURCE} after clear_refs")
            peak = self._memory.high_water_bytes()
        except OSError as error:
            return _absent(_SOURCE, _no_proc(error))
        # The mark was not reset. One that rose since the start has been reached within the window.
        if self._mark_at_start is not None and peak > self._mark_at_start:
            return Reading(value=peak, unit="B", source=f"{_SOURCE}, risen within the window")
        reason = (
            f"the peak since the process began, {peak} B, came before this window, and it could not be reset: "
            f"{self._reset_error}. Run each configuration in a fresh process"
        )
        return _absent(_SOURCE, reason)


def _absent(source: str, reason: str) -> Reading:
    return Reading.not_measured("B", source, reason)


def _no_proc(error: OSError) -> str:
    return f"{sys.platform} does not provide the memory figures of this process: {error} (they need Linux's /proc)"
