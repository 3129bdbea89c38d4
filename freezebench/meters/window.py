"""``measure``: a measurement window around any code, which needs neither pytest nor torch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from freezebench.errors import SettingsError
from freezebench.meters.contention import ContentionMeter
from freezebench.meters.cuda import CudaMeter, synchronize
from freezebench.meters.gpu import GpuSession
from freezebench.meters.host import HostMeter
from freezebench.meters.trace import Trace
from freezebench.records.figures import Readings
from freezebench.specs.fields import brief, real

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from freezebench.meters.devices import DeviceInfo, Gpus
    from freezebench.records.reading import Reading

_SHORTEST_INTERVAL_S = 0.01
_LONGEST_INTERVAL_S = 1.0


class Window:
    """A context manager that measures the code in its block; its figures are available after the block.

    If torch uses CUDA devices, they are synchronized at both edges. An exception in the block is propagated, and the
    figures up to it are available.

    Attributes:
        readings: Readings by metric name; with several GPUs also ``name[GPU-…]`` for each of them.
        trace: Power and memory over time.
        warnings: Conditions that affect the figures: throttling, sharing, missing libraries.
        devices: Identity of each measured GPU.
        shared_devices: UUIDs of GPUs on which other processes computed, so that time and energy include their work.
        duration_s: Length of the window in seconds, including both synchronizations.
    """

    def __init__(self, session: MeterSession, *, owns_session: bool) -> None:
        self._session = session
        self._owns_session = owns_session
        self._gpu = session.gpu.window()
        self._cuda = CudaMeter()
        self._host = HostMeter(root=session.powercap)
        self._contention = ContentionMeter()
        self._start_s = 0.0
        self.readings: dict[str, Reading] = Readings()
        self.trace = Trace()
        self.warnings: list[str] = []
        self.devices: tuple[DeviceInfo, ...] = ()
        self.shared_devices: tuple[str, ...] = ()
        self.duration_s: float | None = None

    def __enter__(self) -> Self:
        problem = synchronize()
        if problem:
            self.warnings.append(problem)
        # Before the host's meters start, since starting a sampler takes time and memory.
        self._gpu.prepare()
        self._host.start()
        self._cuda.start()
        self._contention.start()
        # Last, so that the energy counter is read right before the measured code.
        self._gpu.start()
        self._start_s = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # CUDA calls return before their work is done; without this, its time and energy would be missing.
        problem = synchronize()
        if problem:
            self.warnings.append(problem)
        self.duration_s = time.monotonic() - self._start_s
        # The host's meters stop first, since receiving the samples below takes time and memory.
        readings = {**self._contention.stop(), **self._host.stop(), **self._cuda.stop()}
        self.readings = Readings({**self._gpu.stop(), **readings})
        self.trace = Trace(series=(*self._gpu.series(), *self._host.series()))
        self.warnings += self._gpu.warnings
        self.devices, self.shared_devices = self._gpu.devices, self._gpu.shared_devices
        if self._owns_session:
            self._session.close()


class MeterSession:
    """Instruments for many windows: the sampler keeps running, so that each window starts within milliseconds.

    Args:
        gpus: ``None`` for the GPUs that torch uses in this process (without CUDA in use: those that the UUIDs in
            ``CUDA_VISIBLE_DEVICES`` allow, or all), ``"all"``, NVML indices, or UUIDs.
        interval_s: Polling interval of power and GPU memory, 0.01 to 1 s.
        powercap: Root of the powercap files; ``None``: the system's.

    Raises:
        SettingsError: If ``gpus`` or ``interval_s`` is not valid.
    """

    def __init__(self, gpus: Gpus = None, *, interval_s: float = 0.05, powercap: Path | None = None) -> None:
        if not _SHORTEST_INTERVAL_S <= real(interval_s) <= _LONGEST_INTERVAL_S:
            raise SettingsError(
                f"cannot poll every {brief(interval_s)} s: choose {_SHORTEST_INTERVAL_S} to {_LONGEST_INTERVAL_S} s "
                "(0.05 resolves NVML's updates of about 0.1 s)."
            )
        self.gpu = GpuSession(gpus, interval_s=interval_s)
        self.powercap = powercap

    def window(self) -> Window:
        """Return a window with these instruments; windows may follow one another or be nested."""
        return Window(self, owns_session=False)

    def close(self) -> None:
        """End the sampler process and release NVML."""
        self.gpu.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def measure(gpus: Gpus = None, interval_s: float = 0.05) -> Window:
    """Return a window that measures the code in its ``with`` block.

    After ``with measure() as window: ...``, ``window.readings["energy_j"]`` is a ``Reading`` with value, source,
    uncertainty and coverage, or with the reason why it has no value. For many windows in one process a ``MeterSession``
    is cheaper. The energy is that of GPUs and CPU packages, not of the whole system.

    Args:
        gpus: ``None`` for the GPUs that torch uses in this process (without CUDA in use: those that the UUIDs in
            ``CUDA_VISIBLE_DEVICES`` allow, or all), ``"all"``, NVML indices, or UUIDs.
        interval_s: Polling interval of power and GPU memory, 0.01 to 1 s.

    Raises:
        SettingsError: If ``gpus`` or ``interval_s`` is not valid.
    """
    return Window(MeterSession(gpus, interval_s=interval_s), owns_session=True)
