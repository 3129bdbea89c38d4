"""Readings of a whole window from those of its devices: totals, and each device's own under its UUID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.meters.gpu_readings import UNITS
from freezebench.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.meters.gpu_readings import DeviceWindow

_SIMULTANEOUS = ("peak_power_w", "peak_device_used_bytes")


def no_gpu_readings(reason: str) -> dict[str, Reading]:
    """Return the GPU readings of a window that measured no GPU, with one reason for all."""
    return {name: Reading.not_measured(unit, "NVML", reason) for name, unit in UNITS.items()}


def total_readings(
    devices: Mapping[str, dict[str, Reading]], windows: Mapping[str, DeviceWindow], refused: Sequence[str]
) -> dict[str, Reading]:
    """Return the totals by metric name and, for several devices, the readings of each as ``energy_j[GPU-…]``.

    Energy and mean power are summed. Peaks are the highest sum at one tick, since the peaks of the devices need not
    occur at the same time. The temperature at the start is that of the hottest device.

    Args:
        devices: Readings of each device by its UUID.
        windows: Samples of each device by its UUID.
        refused: Reasons of requested devices that cannot be measured; totals are partial without them.
    """
    if not devices:
        return no_gpu_readings("; ".join(refused) or "no GPU to measure")
    # The readings of a single device are those of the window, without "sum of 1 devices" in their sources.
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
    """Return the total of one metric; it is partial if a device has no reading or a partial one."""
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
        # The errors of the devices may have a common cause, so that their bounds add.
        uncertainty=sum(uncertainties) if len(uncertainties) == len(measured) else None,
        num_samples=min(num_samples, default=None),
        max_gap_s=max(gaps, default=None),
        coverage=sum(coverages) / (len(parts) + len(refused)) if coverages else None,
        low_confidence=any(part.low_confidence for part in measured.values()),
    )


def _simultaneous_peak(name: str, windows: Mapping[str, DeviceWindow]) -> float | None:
    """Return the highest sum over all devices at one tick, at which the sampler polls all of them."""
    sums: dict[float, float] = {}
    counts: dict[float, int] = {}
    for window in windows.values():
        for sample in window.inner:
            power_w = None if sample.power_mw is None else sample.power_mw / 1000
            value = power_w if name == "peak_power_w" else sample.used_bytes
            # A tick counts only if every device has a sample, which the last line checks.
            if value is not None:
                sums[sample.time_s] = sums.get(sample.time_s, 0.0) + value
                counts[sample.time_s] = counts.get(sample.time_s, 0) + 1
    return max((value for time, value in sums.items() if counts[time] == len(windows)), default=None)
