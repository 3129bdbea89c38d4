"""Resident memory of this process: its peak over a window and its size at the window's start."""

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

    Never ``ru_maxrss``: a child process inherits its parent's peak there (318 MB seen where 8.7 MB was true).
    """

    def __init__(self, proc: Path = Path("/proc/self")) -> None:
        self._status = proc / "status"
        self._clear_refs = proc / "clear_refs"
        self.peaks = PeakRegister(read=self.high_water_bytes, reset=self.reset_high_water)

    def high_water_bytes(self) -> int:
        """Return the largest resident size since the process began or the mark was reset.

        Raises:
            OSError: If this system has no such figure.
        """
        return self._field("VmHWM")

    def resident_bytes(self) -> int:
        """Return the resident size now.

        Raises:
            OSError: If this system has no such figure.
        """
        return self._field("VmRSS")

    def reset_high_water(self) -> None:
        """Make the high-water mark start anew from the resident size now (Linux 4.0 and newer).

        Raises:
            OSError: If the kernel does not offer it or does not let this process.
        """
        self._clear_refs.write_text("5")

    def _field(self, name: str) -> int:
        match = re.search(rf"^{name}:\s*(\d+) kB$", self._status.read_text(), re.MULTILINE)
        if match is None:
            raise OSError(f"{self._status} has no {name}")
        return int(match[1]) * 1024


# The kernel keeps one high-water mark per process, so all windows of this process share its register.
THIS_PROCESS = ProcessMemory()


class ProcessMeter:
    """Peak resident memory over one window (``peak_rss_bytes``), and the size at its start (``start_rss_bytes``).

    The start is recorded because a process that is kept for several runs brings its heap along: that memory is not
    the next run's doing. Where the mark cannot be reset, a mark that rose within the window is still the window's
    peak; one that did not is a bound only, and the peak is then not measured.
    """

    def __init__(self, memory: ProcessMemory = THIS_PROCESS) -> None:
        self._memory = memory
        self._start = _absent(_RSS_SOURCE, "the window was not opened")
        self._token: object | None = None
        self._mark_at_start: int | None = None
        self._reset_error = "the window was not opened"

    def start(self) -> None:
        """Reset the peak and note the resident memory."""
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
    return f"{sys.platform} does not give this process its memory figures: {error} (they need Linux's /proc)"
