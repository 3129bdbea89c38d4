"""The host meter of one window: CPU energy and process memory, with their time series."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from freezebench.meters.process import ProcessMemory, ProcessMeter
from freezebench.meters.rapl import POWERCAP, RaplMeter
from freezebench.meters.trace import Series

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.records.reading import Reading

_POLL_S = 1.0


class HostMeter:
    """RAPL and process memory, sampled once a second by one thread."""

    def __init__(self, *, root: Path | None = None) -> None:
        self._rapl = RaplMeter(root=root or POWERCAP)
        self._process = ProcessMeter()
        self._memory = ProcessMemory()
        self._start_s = 0.0
        self._rss: list[tuple[float, int]] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="freezebench-host", daemon=True)

    def start(self) -> None:
        """Open the window."""
        self._start_s = time.monotonic()
        self._process.start()
        self._rapl.start()
        self._sample()
        self._thread.start()

    def stop(self) -> dict[str, Reading]:
        """Close the window and return ``cpu_energy_j``, ``dram_energy_j``, ``peak_rss_bytes``, ``start_rss_bytes``."""
        readings = self._rapl.stop()
        self._closing.set()
        self._sample()
        readings |= self._process.stop()
        self._thread.join(timeout=0.2)
        return readings

    def series(self) -> list[Series]:
        """Return CPU package power and resident memory over time, seconds since the window's start."""
        series = []
        if power := self._rapl.power():
            times, watts = zip(*((time_s - self._start_s, value) for time_s, value in power), strict=True)
            series.append(Series(metric="cpu_power_w", device="cpu", times_s=times, values=watts))
        if self._rss:
            times, used = zip(*((time_s - self._start_s, value) for time_s, value in self._rss), strict=True)
            series.append(Series(metric="rss_bytes", device="cpu", times_s=times, values=used))
        return series

    def _work(self) -> None:
        while not self._closing.wait(_POLL_S):
            # The energy counter wraps after minutes, so that it has to be read during the window as well.
            self._rapl.poll()
            self._sample()

    def _sample(self) -> None:
        # Without /proc there is no series; the reading of the peak gives the reason.
        try:
            self._rss.append((time.monotonic(), self._memory.resident_bytes()))
        except OSError:
            return
