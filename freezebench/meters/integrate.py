"""Pure functions on samples: integrals, coverage, gaps, counter differences and what bounds their error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NOMINAL_PERIOD_S = 0.1  # NVML updates the energy counter about every 100 ms
MIN_TICKS = 2
CONFIDENT_S = 5.0
DIVERGENCE = 0.10
MAX_BRIDGED_GAP_S = 0.5

_COUNTER_RESOLUTION_J = 0.001
_MIN_CHANGES = 3

DOWNSAMPLING_RULE = (
    "equal time bins; in each bin the mean of the power samples, the largest of the memory samples, at the bin's middle"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What one device said at one tick; ``None`` where the call failed.

    Attributes:
        time_s: Monotonic clock, in seconds.
        power_mw: Power in milliwatts.
        energy_mj: Energy counter in millijoules.
        used_bytes: Device-wide memory in use.
    """

    time_s: float
    power_mw: int | None = None
    energy_mj: int | None = None
    used_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Integral:
    """An integral over the covered part of a window.

    Attributes:
        value: Integral over the covered part, in the values' unit times seconds.
        covered_s: Length of the covered part.
        duration_s: Length of the window.
        max_gap_s: Largest time between two neighbouring samples; ``None`` with fewer than two.
        num_samples: Number of samples that have a value.
    """

    value: float
    covered_s: float
    duration_s: float
    max_gap_s: float | None
    num_samples: int

    @property
    def coverage(self) -> float:
        """Share of the window that is covered, 0 to 1."""
        return min(1.0, self.covered_s / self.duration_s) if self.duration_s > 0 else 0.0

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the window is missing."""
        return self.covered_s >= self.duration_s - 1e-6

    @property
    def mean(self) -> float | None:
        """Time-weighted mean over the covered part."""
        return self.value / self.covered_s if self.covered_s > 0 else None


def trapezoid(
    times: Sequence[float], values: Sequence[float | None], *, start_s: float, end_s: float, interval_s: float
) -> Integral:
    """Return the trapezoid integral of the samples over the window from ``start_s`` to ``end_s``.

    Repeated values count like any other: a sensor that repeats itself is reporting a constant load. A failed sample
    (``None``) and a gap of more than 0.5 s leave a hole, which is neither covered nor filled in. Between an edge and
    the sample next to it, up to two intervals away, that sample's value holds.

    Args:
        times: Monotonic, in seconds; samples just outside the window close the first and the last trapezoid.
        values: One per time.
        start_s: Start of the window.
        end_s: End of the window.
        interval_s: Polling interval.
    """
    points = list(zip(times, values, strict=True))
    if points and points[0][1] is not None and start_s < points[0][0] <= start_s + 2 * interval_s:
        points.insert(0, (start_s, points[0][1]))
    if points and points[-1][1] is not None and end_s - 2 * interval_s <= points[-1][0] < end_s:
        points.append((end_s, points[-1][1]))
    longest = max(MAX_BRIDGED_GAP_S, 4 * interval_s)
    total = covered = 0.0
    for (left, low), (right, high) in pairwise(points):
        if low is None or high is None or right - left > longest:
            continue
        begin, finish = max(left, start_s), min(right, end_s)
        if finish <= begin:
            continue
        slope = (high - low) / (right - left)
        middle = low + slope * ((begin + finish) / 2 - left)
        total += middle * (finish - begin)
        covered += finish - begin
    good = [time for time, value in zip(times, values, strict=True) if value is not None]
    gaps = [after - before for before, after in pairwise(good)]
    return Integral(
        value=total,
        covered_s=covered,
        duration_s=end_s - start_s,
        max_gap_s=max(gaps, default=None),
        num_samples=len(good),
    )


@dataclass(frozen=True, kw_only=True)
class CounterDifference:
    """What an energy counter counted between its first and its last reading.

    Attributes:
        energy_j: Sum of its increments.
        covered_s: Time in which it was counted.
        num_resets: How often it went backwards; the increment at a reset is unknown and left out.
    """

    energy_j: float
    covered_s: float
    num_resets: int


def counter_difference(times: Sequence[float], energies_mj: Sequence[int]) -> CounterDifference:
    """Return the energy between the first and the last reading of a counter, leaving out what a reset hides."""
    energy_mj, covered, resets = 0, 0.0, 0
    pairs = list(zip(times, energies_mj, strict=True))
    for (before, low), (after, high) in pairwise(pairs):
        if high < low:
            resets += 1
        else:
            energy_mj += high - low
            covered += after - before
    return CounterDifference(energy_j=energy_mj / 1000, covered_s=covered, num_resets=resets)


def update_period(points: Sequence[tuple[float, int]], *, max_gap_s: float) -> float:
    """Return the counter's update period in seconds, never less than the nominal 0.1 s.

    Seen in the samples: the mean spacing of at least three changes, and the longest time it stood still. Sampling gaps
    above ``max_gap_s`` break the series, because several updates can hide in one.

    Args:
        points: Time and reading of the counter, also those after the window's end.
        max_gap_s: Longest time between two samples that still tells neighbouring updates apart.
    """
    last_change: float | None = None
    spacings: list[float] = []
    longest_still, still_since = 0.0, points[0][0] if points else 0.0
    for (before, low), (after, high) in pairwise(points):
        if high == low:
            longest_still = max(longest_still, after - still_since)
            continue
        still_since = after
        clear = high > low and after - before <= max_gap_s
        if clear and last_change is not None:
            spacings.append(after - last_change)
        last_change = after if clear else None
    # Where every sample differs the spacing is the sampling interval, and the period is at most that.
    mean = sum(spacings) / len(spacings) if len(spacings) >= _MIN_CHANGES else 0.0
    return max(NOMINAL_PERIOD_S, mean, longest_still)


def edge_ticks(
    times: Sequence[float], energies_mj: Sequence[int], later: Sequence[tuple[float, int]]
) -> tuple[float | None, float | None]:
    """Return the energy in joules of the counter's tick at the window's start and of the one at its end, if seen.

    A reading lags the truth by what was used since the counter's last update, which is at most the increment that the
    next update brings. So the first change after each edge bounds that edge's error, whatever the load did and however
    often the counter is updated. A change that was seen later than half a second after its edge is not that tick alone.

    Args:
        times: Times of the counter's readings within the window.
        energies_mj: Those readings.
        later: Time and reading after the window's end.
    """
    if not energies_mj:
        return None, None
    inside = list(zip(times, energies_mj, strict=True))
    after = [inside[-1], *later]
    return _next_increment_j(inside), _next_increment_j(after)


def _next_increment_j(points: Sequence[tuple[float, int]]) -> float | None:
    """Return by how many joules a counter's first change exceeds its first reading, if it came soon enough."""
    start_s, start_mj = points[0]
    for time, energy in points:
        if time - start_s > MAX_BRIDGED_GAP_S:
            return None
        if energy > start_mj:
            return (energy - start_mj) / 1000
    return None


def counter_uncertainty(
    *, peak_w: float | None, limit_w: float | None, period_s: float, ticks_j: tuple[float | None, float | None]
) -> float | None:
    """Return the half-width in joules of the interval around a counter difference that holds the true energy.

    It is peak power times update period, where the peak is the highest that any instrument saw: the highest sample, or
    the edge's own tick of the counter. A tick that was not seen may hide any power up to the limit in force, which
    then takes its place.

    Returns:
        ``None`` if nothing is known that bounds it.
    """
    bounds = [tick for tick in ticks_j if tick is not None]
    if peak_w is not None:
        bounds.append(peak_w * period_s)
    if peak_w is None or None in ticks_j:
        if limit_w is not None:
            bounds.append(limit_w * period_s)
        elif peak_w is None:
            return None
    return max(bounds) + 2 * _COUNTER_RESOLUTION_J


def divergence(integrated_j: float, counted_j: float) -> float:
    """Return how far the integrated energy is from the counted one, as a signed share of the counted one."""
    return (integrated_j - counted_j) / counted_j


def downsample(
    times: Sequence[float], values: Sequence[float | None], *, max_points: int, largest: bool
) -> tuple[list[float], list[float | None]]:
    """Return at most ``max_points`` points by ``DOWNSAMPLING_RULE``; bins without a value give ``None``.

    Args:
        times: Rising, in seconds.
        values: One per time, ``None`` where a sample failed.
        max_points: Number of bins; a shorter series is returned as it is.
        largest: Keep each bin's largest value instead of its mean.
    """
    if len(times) <= max_points:
        return list(times), list(values)
    width = (times[-1] - times[0]) / max_points
    bins: list[list[float]] = [[] for _ in range(max_points)]
    for time, value in zip(times, values, strict=True):
        if value is not None:
            bins[min(max_points - 1, math.floor((time - times[0]) / width))].append(value)
    middles = [times[0] + (number + 0.5) * width for number in range(max_points)]
    if largest:
        return middles, [max(content, default=None) for content in bins]
    return middles, [sum(content) / len(content) if content else None for content in bins]
