"""What can be measured on this machine, found out by trying: for people, before they train."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from freezebench.meters.deadline import DeadlineWorker
from freezebench.meters.devices import Device, Gpus, check_gpus, select_devices, torch_cuda
from freezebench.meters.edges import EDGE_DEADLINE_S
from freezebench.meters.gpu_readings import COUNTER, MEMORY_SOURCES, MIG_REASON
from freezebench.meters.nvml import POWER_SOURCES, Failure, Nvml, open_nvml
from freezebench.meters.process import THIS_PROCESS
from freezebench.meters.rapl import POWERCAP, RaplMeter
from freezebench.meters.stream import open_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Capability:
    """One thing that can be measured here, or not.

    Attributes:
        name: What it is, for example ``energy_j[GPU-…]``.
        available: Whether it can be measured.
        detail: Its source if it can, else the reason and what to do.
    """

    name: str
    available: bool
    detail: str

    def to_json(self) -> dict[str, Any]:
        """Return this capability as a dictionary of JSON types."""
        return asdict(self)


def probe(gpus: Gpus = None, *, powercap: Path = POWERCAP, deadline_s: float = 5.0) -> list[Capability]:
    """Return what can be measured on this machine now, by trying each instrument once.

    Args:
        gpus: As in ``measure``.
        powercap: Root of the powercap files.
        deadline_s: How long NVML may take for everything that is asked of it.
    """
    found = _probe_nvml(gpus, deadline_s)
    if any(item.available for item in found):
        found.append(_probe_sampler())
    cuda = torch_cuda()
    detail = "torch's allocator" if cuda is not None else "no CUDA device in use in this process"
    found.append(Capability(name="peak_allocated_bytes", available=cuda is not None, detail=detail))
    return [*found, *_probe_rapl(powercap), _probe_process()]


def _probe_nvml(gpus: Gpus, deadline_s: float) -> list[Capability]:
    checked = check_gpus(gpus)
    found: list[Capability] = []

    def job() -> None:
        nvml = open_nvml()
        if isinstance(nvml, Failure):
            found.append(Capability(name="nvml", available=False, detail=str(nvml)))
            return
        driver = nvml.driver_version() or "of unknown version"
        found.append(Capability(name="nvml", available=True, detail=f"driver {driver}"))
        selection = select_devices(nvml, checked, os.environ)
        found.extend(Capability(name=r.label, available=False, detail=r.reason) for r in selection.refusals)
        for device in selection.devices:
            found.extend(_probe_device(nvml, device))
        nvml.close()

    worker = DeadlineWorker("freezebench-probe")
    in_time = worker.run(job, deadline_s)
    worker.close()
    if not in_time:
        return [*found, Capability(name="nvml", available=False, detail=f"NVML hangs: no answer in {deadline_s} s")]
    return found


def _probe_device(nvml: Nvml, device: Device) -> list[Capability]:
    info, handle = device.info, device.handle
    limit = "unknown" if info.power_limit_w is None else f"{info.power_limit_w:.0f} W"
    identity = f"{info.name or 'unnamed'} at {info.pci_bus_id or 'unknown bus'}, power limit {limit}"
    found = [Capability(name=f"gpu[{info.uuid}]", available=True, detail=identity)]

    def add(name: str, answer: Any, describe: Callable[[Any], str]) -> None:
        failed = isinstance(answer, Failure)
        detail = str(answer) if failed else describe(answer)
        found.append(Capability(name=f"{name}[{info.uuid}]", available=not failed, detail=detail))

    if info.mig:
        mig = Failure(call="energy", message=MIG_REASON)
        add("energy_j", mig, str)
        add("mean_power_w", mig, str)
    else:
        add("energy_j", nvml.energy_mj(handle), lambda _: COUNTER)
        add("mean_power_w", nvml.choose_power(handle), lambda source: POWER_SOURCES[source])
    add("peak_device_used_bytes", nvml.memory(handle), lambda memory: MEMORY_SOURCES[memory.version])
    add("start_temperature_c", nvml.temperature_c(handle), lambda celsius: f"{celsius} °C now")
    add("throttling", nvml.throttle_reasons(handle), lambda mask: f"mask 0x{mask:x} now")
    add("sharing", nvml.process_ids(handle), lambda pids: f"{len(pids)} processes compute on it now")
    return found


def _probe_sampler() -> Capability:
    stream = open_stream(EDGE_DEADLINE_S)
    if isinstance(stream, Failure):
        return Capability(name="sampler", available=False, detail=str(stream))
    stream.close()
    return Capability(name="sampler", available=True, detail="helper process starts and reaches NVML")


def _probe_rapl(root: Path) -> list[Capability]:
    meter = RaplMeter(root=root)
    meter.start()
    found = []
    for name, problem in meter.problems().items():
        found.append(Capability(name=name, available=problem is None, detail=problem or f"RAPL under {root}"))
    return found


def _probe_process() -> Capability:
    try:
        # Through the register: a window that is open keeps its peak.
        THIS_PROCESS.peaks.close(THIS_PROCESS.peaks.open())
    except OSError as error:
        return Capability(name="peak_rss_bytes", available=False, detail=str(error))
    return Capability(name="peak_rss_bytes", available=True, detail="VmHWM after clear_refs (/proc/self)")
