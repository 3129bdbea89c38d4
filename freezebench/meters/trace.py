"""The time series of power and memory over one window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from freezebench.meters.integrate import DOWNSAMPLING_RULE, downsample


@dataclass(frozen=True, kw_only=True)
class Series:
    """One quantity of one device over time.

    Attributes:
        metric: ``power_w``, ``device_used_bytes``, ``cpu_power_w`` or ``rss_bytes``.
        device: The GPU's UUID, or ``cpu``.
        times_s: Seconds since the window's start, rising.
        values: One per time; ``None`` where a sample failed.
    """

    metric: str
    device: str
    times_s: tuple[float, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Every series of one window; empty where nothing was sampled."""

    series: tuple[Series, ...] = ()

    def __len__(self) -> int:
        return len(self.series)

    def get(self, metric: str, device: str | None = None) -> Series | None:
        """Return the series of ``metric`` on ``device``, by default on the first one that has it."""
        return next((s for s in self.series if s.metric == metric and device in {None, s.device}), None)

    def to_json(self, *, max_points: int = 200) -> dict[str, Any]:
        """Return the trace as JSON types, at most ``max_points`` per series, with the rule by which it was thinned.

        Times are rounded to milliseconds, values to three decimals.
        """
        series = []
        for one in self.series:
            largest = one.metric.endswith("_bytes")
            times, values = downsample(one.times_s, one.values, max_points=max_points, largest=largest)
            series.append(
                {
                    "metric": one.metric,
                    "device": one.device,
                    "times_s": [round(time, 3) for time in times],
                    "values": [None if value is None else round(value, 3) for value in values],
                    "num_samples": len(one.times_s),
                }
            )
        return {"rule": f"at most {max_points} points: {DOWNSAMPLING_RULE}", "series": series}
