"""Readings of one device, from its edges and samples.

Energy has two independent sources. The counter (``energy_j``) is read at both edges; it is updated about every 100 ms,
which limits its accuracy in short windows. The integral of the sampled power (``energy_integrated_j``) checks the
counter, and replaces it if the counter cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from freezebench.meters import integrate
from freezebench.meters.metrics import COST_METRICS
from freezebench.meters.nvml import POWER_SOURCES, Failure, MemoryUse, PowerSource
from freezebench.records.reading import Reading

if TYPE_CHECKING:
    from freezebench.meters.edges import Edge, Sharing
    from freezebench.meters.integrate import Integral, Sample

COUNTER = "nvmlDeviceGetTotalEnergyConsumption"
MEMORY_SOURCES = {
    1: "nvmlDeviceGetMemoryInfo (version 1: counts the driver's reserve as used)",
    2: "nvmlDeviceGetMemoryInfo_v2",
}
_NAMES = (
    "energy_j",
    "energy_integrated_j",
    "mean_power_w",
    "peak_power_w",
    "peak_device_used_bytes",
    "start_temperature_c",
)
UNITS = {name: COST_METRICS[name].unit for name in _NAMES}
MIG_REASON = "MIG: NVML counts the power and energy of the whole GPU, not of an instance"

_AT_EDGE_S = 0.02  # a sample this close to an edge reports the sensor's state at the edge


@dataclass(frozen=True, kw_only=True)
class DeviceWindow:
    """One device over one window: the input of its readings.

    Attributes:
        start: Its start edge.
        end: Its end edge.
        samples: The samples in order of time, from a little before the start to a little after the end.
        power_source: Source of the samples' power, or the reason why there is none.
        interval_s: Polling interval.
        mig: Whether the device is or has MIG instances, so that energy and power cannot be attributed.
        power_limit_w: Enforced power limit; ``None`` if unknown.
        sharing: Whether other processes computed on the device.
        problem: Why samples are missing (the sampler's last error); ``None`` if there was no error.
    """

    start: Edge
    end: Edge
    samples: tuple[Sample, ...]
    power_source: PowerSource | Failure
    interval_s: float
    mig: bool = False
    power_limit_w: float | None = None
    sharing: Sharing
    problem: str | None = None

    @property
    def duration_s(self) -> float:
        """Time between the two readings of the energy counter, in seconds."""
        return self.end.time_s - self.start.time_s

    @cached_property
    def inner(self) -> tuple[Sample, ...]:
        """The samples within the window and those right at its edges, which complete the first and last trapezoid."""
        start_s, end_s = self.start.time_s, self.end.time_s
        before = [s for s in self.samples if start_s - _AT_EDGE_S <= s.time_s < start_s][-1:]
        after = [s for s in self.samples if end_s < s.time_s <= end_s + _AT_EDGE_S][:1]
        return (*before, *(s for s in self.samples if start_s <= s.time_s <= end_s), *after)

    def integral(self, values: list[float | None]) -> Integral:
        """Return the integral over the window of one value per inner sample."""
        times = [sample.time_s for sample in self.inner]
        start_s, end_s = self.start.time_s, self.end.time_s
        return integrate.trapezoid(times, values, start_s=start_s, end_s=end_s, interval_s=self.interval_s)


def device_readings(window: DeviceWindow) -> tuple[dict[str, Reading], list[str]]:
    """Return the readings of one device by metric name, and its warnings.

    A device on which other processes computed has no reading of energy, power or memory, since these include their
    work.
    """
    temperature = _temperature(window)
    if window.sharing.status == "shared":
        reason = f"device shared: {window.sharing.detail}"
        readings = {name: Reading.not_measured(unit, "NVML", reason) for name, unit in UNITS.items()}
        return readings | {"start_temperature_c": temperature}, [reason]
    integral = window.integral([None if s.power_mw is None else s.power_mw / 1000 for s in window.inner])
    power = _power_readings(window, integral)
    counted = _counted(window, power)
    warnings = []
    # In a container sharing is usually unknown, so that the figures are kept, with a warning.
    if window.sharing.status == "unknown":
        warnings.append(f"whether the device was shared is unknown: {window.sharing.detail}")
    power["energy_integrated_j"], diverging = _cross_check(power["energy_integrated_j"], counted)
    warnings += diverging
    if counted.status == "not_measured" and isinstance(window.start.energy_mj, Failure):
        counted = _fall_back(counted, power["energy_integrated_j"])
    memory = _memory(window)
    readings = {"energy_j": counted, **power, "peak_device_used_bytes": memory, "start_temperature_c": temperature}
    return readings, warnings


def _power_readings(window: DeviceWindow, integral: Integral) -> dict[str, Reading]:
    """Return integrated energy, mean and peak power by the samples."""
    names = ("energy_integrated_j", "mean_power_w", "peak_power_w")
    if window.mig:
        return {name: Reading.not_measured(UNITS[name], "NVML", MIG_REASON) for name in names}
    if isinstance(window.power_source, Failure):
        reason = str(window.power_source)
        return {name: Reading.not_measured(UNITS[name], "NVML power samples", reason) for name in names}
    source = POWER_SOURCES[window.power_source]
    count = f"{integral.num_samples} power samples in {integral.duration_s:.3f} s"
    too_few = f"{window.problem} ({count})" if window.problem else f"too_short: {count}"
    readings = {}
    if integral.duration_s < integrate.MIN_TICKS * integrate.NOMINAL_PERIOD_S:
        return {name: Reading.not_measured(UNITS[name], source, too_few) for name in names}
    if integral.num_samples < integrate.MIN_TICKS or integral.mean is None:
        for name in names[:2]:
            readings[name] = Reading.not_measured(UNITS[name], source, too_few)
    else:
        readings[names[0]] = _sampled(window, integral, integral.value, "J", f"trapezoid integral of {source}")
        readings[names[1]] = _sampled(window, integral, integral.mean, "W", f"time-weighted mean of {source}")
    watts = [sample.power_mw / 1000 for sample in window.inner if sample.power_mw is not None]
    readings[names[2]] = (
        _sampled(window, integral, max(watts), "W", f"highest sample of {source}")
        if watts
        else Reading.not_measured("W", source, too_few)
    )
    return readings


def _sampled(window: DeviceWindow, integral: Integral, value: float, unit: str, source: str) -> Reading:
    """Return the reading of a sampled figure; it is partial if the samples do not cover the window."""
    reason = None
    if not integral.is_whole:
        covered = f"samples cover {integral.covered_s:.2f} s of {integral.duration_s:.2f} s"
        reason = f"{covered}: {window.problem}" if window.problem else covered
    return Reading(
        value=value,
        unit=unit,
        source=source,
        status="measured" if reason is None else "partial",
        reason=reason,
        num_samples=integral.num_samples,
        max_gap_s=integral.max_gap_s,
        # A window that is not covered completely never shows 100 %, however the share is rounded.
        coverage=1.0 if reason is None else min(integral.coverage, 0.9999),
        low_confidence=integral.duration_s < integrate.CONFIDENT_S,
    )


def _counted(window: DeviceWindow, power: dict[str, Reading]) -> Reading:
    """Return the energy by the counter: the sum of its increments, with the uncertainty of its two edges."""
    if window.mig:
        return Reading.not_measured("J", COUNTER, MIG_REASON)
    points, failures = _counter_points(window)
    times, energies = [time for time, _ in points], [energy for _, energy in points]
    later = [
        (s.time_s, s.energy_mj) for s in window.samples if s.energy_mj is not None and s.time_s > window.end.time_s
    ]
    period_s = integrate.update_period([*points, *later], max_gap_s=4 * window.interval_s)
    # The uncertainty of the two edges, one period each, is then as large as the figure.
    if window.duration_s < integrate.MIN_TICKS * period_s:
        reason = f"too_short: {window.duration_s:.3f} s is under 2 updates of the counter ({period_s:.2f} s each)"
        return Reading.not_measured("J", COUNTER, reason)
    difference = integrate.counter_difference(times, energies)
    if difference.num_resets:
        failures.append(f"the counter went backwards {difference.num_resets} times (driver reloaded or device reset)")
    if difference.energy_j <= 0:
        reason = "; ".join(failures) or "the counter did not advance"
        return Reading.not_measured("J", COUNTER, reason)
    uncertainty = integrate.counter_uncertainty(
        peak_w=power["peak_power_w"].value if power["energy_integrated_j"].value is not None else None,
        limit_w=window.power_limit_w,
        period_s=period_s,
        ticks_j=integrate.edge_ticks(times, energies, later),
    )
    whole = not failures
    gaps = [after - before for before, after in pairwise(times)]
    return Reading(
        value=difference.energy_j,
        unit="J",
        source=COUNTER,
        status="measured" if whole else "partial",
        reason=None if whole else "; ".join(dict.fromkeys(failures)),
        # Each reset splits the window into two counts, each with an uncertain edge.
        uncertainty=None if uncertainty is None else uncertainty * (1 + difference.num_resets),
        num_samples=len(points),
        max_gap_s=max(gaps, default=None),
        coverage=1.0 if whole else min(difference.covered_s / window.duration_s, 0.9999),
        low_confidence=window.duration_s < integrate.CONFIDENT_S,
    )


def _counter_points(window: DeviceWindow) -> tuple[list[tuple[float, int]], list[str]]:
    """Return the counter's readings within the window as (time, millijoules), and the errors at the edges."""
    # The counter is also read between the edges: otherwise a reset within the window would look like a small
    # difference.
    inside = [s for s in window.inner if window.start.time_s <= s.time_s <= window.end.time_s]
    points = [(s.time_s, s.energy_mj) for s in inside if s.energy_mj is not None]
    failures = []
    if isinstance(window.start.energy_mj, Failure):
        failures.append(str(window.start.energy_mj))
    else:
        points.insert(0, (window.start.time_s, window.start.energy_mj))
    if isinstance(window.end.energy_mj, Failure):
        failures.append(str(window.end.energy_mj))
    else:
        points.append((window.end.time_s, window.end.energy_mj))
    return points, failures


def _cross_check(integrated: Reading, counted: Reading) -> tuple[Reading, list[str]]:
    """Return the integrated energy, marked if it differs from the counted one by more than 10 %, and the warning.

    A difference within the counter's own uncertainty, which is large in a window of a second, is not marked.
    """
    if integrated.status != "measured" or counted.status != "measured" or not integrated.value or not counted.value:
        return integrated, []
    share = integrate.divergence(integrated.value, counted.value)
    off_j = abs(integrated.value - counted.value)
    if abs(share) <= integrate.DIVERGENCE or off_j <= (counted.uncertainty or 0.0):
        return integrated, []
    text = f"integrated energy diverges from the counter by {share:+.0%} ({integrated.source})"
    return replace(integrated, low_confidence=True, reason=text), [text]


def _fall_back(counted: Reading, integrated: Reading) -> Reading:
    """Return the integrated energy, labelled as such, in place of a counter that cannot be read."""
    if integrated.value is None:
        return counted
    # NVML does not report the averaging window of a sensor, so nothing bounds the error of an integral of its samples.
    reason = "; ".join(
        filter(None, (f"integrated, because the energy counter was not read: {counted.reason}", integrated.reason))
    )
    return replace(integrated, reason=reason, low_confidence=True)


def _memory(window: DeviceWindow) -> Reading:
    """Return the highest device-wide memory use of samples and edges."""
    sampled = window.integral([s.used_bytes for s in window.inner])
    # A short window may have no sample, but it has two edges.
    edges = [edge.memory for edge in (window.start, window.end) if isinstance(edge.memory, MemoryUse)]
    values = [memory.used_bytes for memory in edges]
    values += [s.used_bytes for s in window.inner if s.used_bytes is not None]
    if not values:
        reason = str(window.end.memory) if isinstance(window.end.memory, Failure) else "no sample"
        return Reading.not_measured("B", MEMORY_SOURCES[2], reason)
    version = edges[0].version if edges else 2
    source = f"{MEMORY_SOURCES[version]}, device-wide, highest of the samples"
    whole = replace(sampled, num_samples=len(values))
    return replace(_sampled(window, whole, max(values), "B", source), low_confidence=False)


def _temperature(window: DeviceWindow) -> Reading:
    """Return the temperature at the start of the window."""
    value, source = window.start.temperature_c, "nvmlDeviceGetTemperatureV (GPU core) at the window's start"
    if isinstance(value, Failure):
        return Reading.not_measured("degC", source, str(value))
    return Reading(value=value, unit="degC", source=source)
