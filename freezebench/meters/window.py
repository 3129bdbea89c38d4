"""``measure``: one window around any code, with no pytest and no torch needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from freezebench.errors import SettingsError
from freezebench.meters.cuda import CudaMeter, synchronize
from freezebench.meters.gpu import GpuSession
from freezebench.meters.host import HostMeter
from freezebench.meters.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from freezebench.meters.devices import DeviceInfo, Gpus
    from freezebench.records.reading import Reading

_SHORTEST_INTERVAL_S = 0.01
_LONGEST_INTERVAL_S = 1.0


class Window:
    """What one stretch of code cost. Enter it before and leave it after; the figures are there from then on.

    The device is synchronized at both edges if torch uses one. An exception in the code passes through, and the
    figures up to it are kept.

    Attributes:
        readings: Each figure by its metric name; with several GPUs also ``name[GPU-…]`` for each one.
        trace: Power and memory over time.
        warnings: What the figures should not be read without: throttling, sharing, missing libraries.
        devices: Name, UUID and driver of each GPU measured.
        shared_devices: UUIDs of GPUs on which other processes computed: time and energy are not ours alone.
        duration_s: Length of the window in seconds, both synchronizations included.
    """

    def __init__(self, session: MeterSession, *, owns_session: bool) -> None:
        self._session = session
        self._owns_session = owns_session
        self._gpu = session.gpu.window()
        self._cuda = CudaMeter()
        self._host = HostMeter(root=session.powercap)
        self._start_s = 0.0
        self.readings: dict[str, Reading] = {}
        self.trace = Trace()
        self.warnings: list[str] = []
        self.devices: tuple[DeviceInfo, ...] = ()
        self.shared_devices: tuple[str, ...] = ()
        self.duration_s: float | None = None

    def __enter__(self) -> Self:
        problem = synchronize()
        if problem:
            self.warnings.append(problem)
        # Starting a sampler costs time and memory: before the host's figures begin.
        self._gpu.prepare()
        self._host.start()
        self._cuda.start()
        # Last, so that the energy counter is read next to the measured code.
        self._gpu.start()
        self._start_s = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        problem = synchronize()
        if problem:
            self.warnings.append(problem)
        self.duration_s = time.monotonic() - self._start_s
        # The host's figures first: taking in the samples below needs memory and time that are not the code's.
        readings = {**self._host.stop(), **self._cuda.stop()}
        self.readings = {**self._gpu.stop(), **readings}
        self.trace = Trace(series=(*self._gpu.series(), *self._host.series()))
        self.warnings += self._gpu.warnings
        self.devices, self.shared_devices = self._gpu.devices, self._gpu.shared_devices
        if self._owns_session:
            self._session.close()


class MeterSession:
    """Instruments kept over many windows, so that each window starts in milliseconds: the sampler stays up in between.

    Args:
        gpus: ``None`` for the GPUs that torch uses in this process (without CUDA in use: those that the UUIDs in
            ``CUDA_VISIBLE_DEVICES`` allow, or all), ``"all"``, NVML indices, or UUIDs.
        interval_s: Polling interval of power and GPU memory, 0.01 to 1 s.
        powercap: Root of the powercap files, where not the system's.

    Raises:
        SettingsError: If ``gpus`` or ``interval_s`` cannot be meant.
    """

    def __init__(self, gpus: Gpus = None, *, interval_s: float = 0.05, powercap: Path | None = None) -> None:
        if not _SHORTEST_INTERVAL_S <= interval_s <= _LONGEST_INTERVAL_S:
            raise SettingsError(
                f"cannot poll every {interval_s} s: choose {_SHORTEST_INTERVAL_S} to {_LONGEST_INTERVAL_S} s (0.05 "
                "resolves NVML's updates of about 0.1 s)."
            )
        self.gpu = GpuSession(gpus, interval_s=interval_s)
        self.powercap = powercap

    def window(self) -> Window:
        """Return a window on these instruments; windows may follow one another or nest."""
        return Window(self, owns_session=False)

    def close(self) -> None:
        """End the sampler process and give NVML back."""
        self.gpu.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def measure(gpus: Gpus = None, interval_s: float = 0.05) -> Window:
    """Return a window that measures the code in its ``with`` block.

    ``with measure() as window: ...``; afterwards ``window.readings["energy_j"]`` is a ``Reading`` with value, source,
    uncertainty and coverage, or without value and with the reason. For many windows in one process a ``MeterSession``
    is cheaper. The energy of GPU and CPU packages is what it is: not the energy of the whole system.

    Args:
        gpus: ``None`` for the GPUs that torch uses in this process (without CUDA in use: those that the UUIDs in
            ``CUDA_VISIBLE_DEVICES`` allow, or all), ``"all"``, NVML indices, or UUIDs.
        interval_s: Polling interval of power and GPU memory, 0.01 to 1 s.

    Raises:
        SettingsError: If ``gpus`` or ``interval_s`` cannot be meant.
    """
    return Window(MeterSession(gpus, interval_s=interval_s), owns_session=True)
