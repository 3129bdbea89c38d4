"""The probe: which figures can be measured on this machine, determined by trying each instrument once."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

from freezebench.meters.deadline import DeadlineWorker
from freezebench.meters.devices import Device, Gpus, check_gpus, select_devices, torch_cuda
from freezebench.meters.edges import EDGE_DEADLINE_S
from freezebench.meters.gpu_readings import COUNTER, MEMORY_SOURCES, MIG_REASON
from freezebench.meters.nvml import POWER_SOURCES, Failure, Nvml, open_nvml
from freezebench.meters.process import THIS_PROCESS
from freezebench.meters.processors import WAITS_SOURCE, waits_problem
from freezebench.meters.rapl import POWERCAP, RaplMeter
from freezebench.meters.stream import open_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from freezebench.specs.json_types import Json

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Capability:
    """A figure or instrument that is available on this machine, or not.

    Attributes:
        name: Name of the figure or instrument, for example ``energy_j[GPU-…]``.
        available: Whether it is available.
        detail: Its source if it is available, else the reason and what to do.
    """

    name: str
    available: bool
    detail: str

    def to_json(self) -> dict[str, Json]:
        """Return this capability in JSON types."""
        return asdict(self)


def probe(gpus: Gpus = None, *, powercap: Path = POWERCAP, deadline_s: float = 5.0) -> list[Capability]:
    """Return what can be measured on this machine now.

    Args:
        gpus: As in ``measure``.
        powercap: Root of the powercap files.
        deadline_s: Limit of all NVML calls together, in seconds.
    """
    capabilities = _probe_nvml(gpus, deadline_s)
    # The sampler uses NVML as well, and would only repeat that it is missing.
    if any(capability.available for capability in capabilities):
        capabilities.append(_probe_sampler())
    cuda = torch_cuda()
    detail = "torch's allocator" if cuda is not None else "no CUDA device in use in this process"
    capabilities.append(Capability(name="peak_allocated_bytes", available=cuda is not None, detail=detail))
    return [*capabilities, *_probe_rapl(powercap), _probe_process(), _probe_contention()]


def _probe_nvml(gpus: Gpus, deadline_s: float) -> list[Capability]:
    checked = check_gpus(gpus)
    capabilities: list[Capability] = []

    def job() -> None:
        nvml = open_nvml()
        if isinstance(nvml, Failure):
            capabilities.append(Capability(name="nvml", available=False, detail=str(nvml)))
            return
        driver = nvml.driver_version() or "of unknown version"
        capabilities.append(Capability(name="nvml", available=True, detail=f"driver {driver}"))
        selection = select_devices(nvml, checked, os.environ)
        capabilities.extend(Capability(name=r.label, available=False, detail=r.reason) for r in selection.refusals)
        for device in selection.devices:
            capabilities.extend(_probe_device(nvml, device))
        nvml.close()

    # With a deadline, since a driver that hangs is one of the faults that the probe has to report.
    worker = DeadlineWorker("freezebench-probe")
    in_time = worker.run(job, deadline_s)
    worker.close()
    if not in_time:
        hangs = Capability(name="nvml", available=False, detail=f"NVML hangs: no answer in {deadline_s} s")
        return [*capabilities, hangs]
    return capabilities


def _probe_device(nvml: Nvml, device: Device) -> list[Capability]:
    info, handle = device.info, device.handle
    limit = "unknown" if info.power_limit_w is None else f"{info.power_limit_w:.0f} W"
    identity = f"{info.name or 'unnamed'} at {info.pci_bus_id or 'unknown bus'}, power limit {limit}"
    capabilities = [Capability(name=f"gpu[{info.uuid}]", available=True, detail=identity)]

    def add(name: str, answer: T | Failure, describe: Callable[[T], str]) -> None:
        failed = isinstance(answer, Failure)
        detail = str(answer) if isinstance(answer, Failure) else describe(answer)
        capabilities.append(Capability(name=f"{name}[{info.uuid}]", available=not failed, detail=detail))

    # For an instance the calls succeed, but their figures are those of the whole GPU.
    if info.mig:
        mig = Failure(call="energy", message=MIG_REASON)
        add("energy_j", mig, str)
        add("mean_power_w", mig, str)
    else:
        add("energy_j", nvml.energy_mj(handle), lambda _: COUNTER)
        source = nvml.choose_power(handle)
        add("mean_power_w", source if isinstance(source, Failure) else POWER_SOURCES[source], str)
    add("peak_device_used_bytes", nvml.memory(handle), lambda memory: MEMORY_SOURCES[memory.version])
    add("start_temperature_c", nvml.temperature_c(handle), lambda celsius: f"{celsius} °C now")
    add("throttling", nvml.throttle_reasons(handle), lambda mask: f"mask 0x{mask:x} now")
    add("sharing", nvml.process_ids(handle), lambda pids: f"{len(pids)} processes compute on it now")
    return capabilities


def _probe_sampler() -> Capability:
    stream = open_stream(EDGE_DEADLINE_S)
    if isinstance(stream, Failure):
        return Capability(name="sampler", available=False, detail=str(stream))
    stream.close()
    return Capability(name="sampler", available=True, detail="helper process starts and reaches NVML")


def _probe_rapl(root: Path) -> list[Capability]:
    meter = RaplMeter(root=root)
    meter.start()
    return [
        Capability(name=name, available=problem is None, detail=problem or f"RAPL under {root}")
        for name, problem in meter.problems().items()
    ]


def _probe_process() -> Capability:
    try:
        # Through the register, which keeps the peak of a window that is open now.
        THIS_PROCESS.peaks.close(THIS_PROCESS.peaks.open())
    except OSError as error:
        return Capability(name="peak_rss_bytes", available=False, detail=str(error))
    return Capability(name="peak_rss_bytes", available=True, detail="VmHWM after clear_refs (/proc/self)")


def _probe_contention() -> Capability:
    problem = waits_problem()
    instead = f"{problem}; the share in which the training thread did not run is used instead" if problem else ""
    return Capability(name="contended_share", available=problem is None, detail=instead or WAITS_SOURCE)
