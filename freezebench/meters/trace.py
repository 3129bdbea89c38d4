"""Time series of power and memory over one measurement window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import UnknownNameError
from freezebench.meters.integrate import DOWNSAMPLING_RULE, downsample
from freezebench.specs.fields import brief
from freezebench.units import did_you_mean

if TYPE_CHECKING:
    from freezebench.records.trace import SeriesJson, TraceJson

# What meters sample over time.
SAMPLED = ("cpu_power_w", "device_used_bytes", "power_w", "rss_bytes")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One quantity of one device over time.

    Attributes:
        metric: ``power_w``, ``device_used_bytes``, ``cpu_power_w`` or ``rss_bytes``.
        device: The GPU's UUID, or ``cpu``.
        times_s: Seconds since the window's start, increasing.
        values: One value per time; ``None`` if a sample failed.
    """

    metric: str
    device: str
    times_s: tuple[float, ...]
    values: tuple[float | None, ...]

    def to_json(self, *, max_points: int) -> SeriesJson:
        """Return the series in JSON types, downsampled to at most ``max_points``.

        Args:
            max_points: Largest number of points that are kept.
        """
        # Peaks matter for memory, the mean matters for power, whose integral is the energy.
        largest = self.metric.endswith("_bytes")
        times, values = downsample(self.times_s, self.values, max_points=max_points, largest=largest)
        return {
            "metric": self.metric,
            "device": self.device,
            "times_s": [round(time, 3) for time in times],
            "values": [None if value is None else round(value, 3) for value in values],
            "num_samples": len(self.times_s),
        }


@dataclass(frozen=True, kw_only=True)
class Trace:
    """All series of one window.

    Attributes:
        series: The series; empty if nothing was sampled.
    """

    series: tuple[Series, ...] = ()

    def __len__(self) -> int:
        return len(self.series)

    def get(self, metric: str, device: str | None = None) -> Series | None:
        """Return the series of a metric on a device, by default on the first device that has it; ``None``: not sampled.

        Args:
            metric: ``power_w``, ``device_used_bytes``, ``cpu_power_w`` or ``rss_bytes``.
            device: The GPU's UUID, or ``cpu``; ``None``: the first one that has the metric.

        Raises:
            UnknownNameError: If no such metric is ever sampled.
        """
        if metric not in SAMPLED:
            raise UnknownNameError(f"there is no series {brief(metric)}.{did_you_mean(metric, SAMPLED)}")
        return next((s for s in self.series if s.metric == metric and device in {None, s.device}), None)

    def to_json(self, *, max_points: int = 200) -> TraceJson:
        """Return the trace in JSON types, downsampled to at most ``max_points`` per series.

        Times are rounded to milliseconds, values to three decimals.

        Args:
            max_points: Largest number of points of a series that are kept.
        """
        series = [entry.to_json(max_points=max_points) for entry in self.series]
        return {"rule": f"at most {max_points} points: {DOWNSAMPLING_RULE}", "series": series}
