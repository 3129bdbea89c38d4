"""From each device's readings to the figures of the whole window: totals, and the devices' own under their UUIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.meters.gpu_readings import UNITS
from freezebench.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.meters.gpu_readings import DeviceWindow

_SIMULTANEOUS = ("peak_power_w", "peak_device_used_bytes")


def no_gpu_readings(reason: str) -> dict[str, Reading]:
    """Return the GPU readings of a window that measured no GPU, all with the same reason."""
    return {name: Reading.not_measured(unit, "NVML", reason) for name, unit in UNITS.items()}


def total_readings(
    devices: Mapping[str, dict[str, Reading]], windows: Mapping[str, DeviceWindow], refused: Sequence[str]
) -> dict[str, Reading]:
    """Return the totals under the plain names, and with several devices each one's own as ``energy_j[GPU-…]``.

    Energy and mean power add up. Peaks add up tick by tick, because the devices' own peaks need not have come at the
    same moment. The start temperature is the hottest device's.

    Args:
        devices: Each device's readings by its UUID.
        windows: Each device's samples by its UUID.
        refused: Reasons of devices that were asked for and could not be had: totals are partial without them.
    """
    if not devices:
        return no_gpu_readings("; ".join(refused) or "no GPU to measure")
    if len(devices) == 1 and not refused:
        return dict(next(iter(devices.values())))
    totals = {}
    for name, unit in UNITS.items():
        parts = {uuid: readings[name] for uuid, readings in devices.items()}
        peak = _simultaneous_peak(name, windows) if name in _SIMULTANEOUS else None
        totals[name] = _total(name, unit, parts, refused, peak)
    own = {f"{name}[{uuid}]": reading for uuid, readings in devices.items() for name, reading in readings.items()}
    return totals | own


def _total(
    name: str, unit: str, parts: Mapping[str, Reading], refused: Sequence[str], simultaneous: float | None
) -> Reading:
    measured = {uuid: part for uuid, part in parts.items() if part.value is not None}
    missing = [f"{uuid}: {part.reason}" for uuid, part in parts.items() if part.value is None]
    partial = [f"{uuid}: {part.reason}" for uuid, part in parts.items() if part.status == "partial"]
    reasons = [*refused, *missing, *partial]
    sources = sorted({part.source for part in measured.values()})
    if not measured:
        return Reading.not_measured(unit, "NVML", "; ".join(reasons))
    values = [part.value for part in measured.values() if part.value is not None]
    uncertainties = [part.uncertainty for part in measured.values() if part.uncertainty is not None]
    if name == "start_temperature_c":
        value, how = max(values), "hottest"
    elif name in _SIMULTANEOUS and simultaneous is not None and not missing:
        value, how = simultaneous, "highest simultaneous sum"
    elif name in _SIMULTANEOUS:
        value, how = sum(values), "sum of each one's peak"
    else:
        value, how = sum(values), "sum"
    num_samples = [part.num_samples for part in measured.values() if part.num_samples is not None]
    coverages = [part.coverage for part in measured.values() if part.coverage is not None]
    gaps = [part.max_gap_s for part in measured.values() if part.max_gap_s is not None]
    return Reading(
        value=value,
        unit=unit,
        source=f"{'; '.join(sources)} ({how} of {len(measured)} devices)",
        status="partial" if reasons else "measured",
        reason="; ".join(reasons) or None,
        # Worst cases add: the devices' errors may have one cause.
        uncertainty=sum(uncertainties) if len(uncertainties) == len(measured) else None,
        num_samples=min(num_samples, default=None),
        max_gap_s=max(gaps, default=None),
        coverage=sum(coverages) / (len(parts) + len(refused)) if coverages else None,
        low_confidence=any(part.low_confidence for part in measured.values()),
    )


def _simultaneous_peak(name: str, windows: Mapping[str, DeviceWindow]) -> float | None:
    """Return the highest sum over all devices at one tick; the sampler asks every device at each tick."""
    sums: dict[float, float] = {}
    counts: dict[float, int] = {}
    for window in windows.values():
        for sample in window.inner:
            milliwatts = None if sample.power_mw is None else sample.power_mw / 1000
            value = milliwatts if name == "peak_power_w" else sample.used_bytes
            if value is not None:
                sums[sample.time_s] = sums.get(sample.time_s, 0.0) + value
                counts[sample.time_s] = counts.get(sample.time_s, 0) + 1
    return max((value for time, value in sums.items() if counts[time] == len(windows)), default=None)
