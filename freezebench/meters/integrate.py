"""Pure functions on samples: integrals, coverage, gaps, counter differences and bounds of their errors.

An energy counter can be read at any time, but it is updated only every 0.1 s or so::

    updates    12 J      15 J      19 J      22 J      25 J
               |---------|---------|---------|---------|
    window          ^ start: reads 12 J           ^ end: reads 22 J

Each reading lags the true energy by at most the increment of the next update (3 J in both cases here). This bounds the
error of the difference, so the sampler polls the counter as well, and beyond the window's end until the next update.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NOMINAL_PERIOD_S = 0.1  # NVML updates the energy counter about every 100 ms
MIN_TICKS = 2
CONFIDENT_S = 5.0  # from here on the error of the two edges is a few per cent at most
DIVERGENCE = 0.10
MAX_BRIDGED_GAP_S = 0.5  # several updates of the counter, in which the load may have changed unnoticed

_COUNTER_RESOLUTION_J = 0.001
_MIN_CHANGES = 3

DOWNSAMPLING_RULE = (
    "equal time bins; in each bin the mean of the power samples, the largest of the memory samples, at the bin's middle"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The figures of one device at one tick; ``None`` if the call failed.

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

    Repeated values are used like any others: a sensor that repeats a value reports a constant load. A failed sample
    (``None``) and a gap of more than 0.5 s leave a hole, which is neither covered nor interpolated. Between an edge and
    the nearest sample, up to two intervals away, the value of that sample is used.

    Args:
        times: Increasing, in seconds; samples just outside the window complete the first and the last trapezoid.
        values: One value per time.
        start_s: Start of the window.
        end_s: End of the window.
        interval_s: Polling interval.
    """
    # The sampler and the edges are not synchronized: the power between an edge and the nearest sample is taken as
    # constant.
    points = list(zip(times, values, strict=True))
    if points and points[0][1] is not None and start_s < points[0][0] <= start_s + 2 * interval_s:
        points.insert(0, (start_s, points[0][1]))
    if points and points[-1][1] is not None and end_s - 2 * interval_s <= points[-1][0] < end_s:
        points.append((end_s, points[-1][1]))
    # At a long polling interval every gap is long; a gap of some intervals is still bridged.
    longest = max(MAX_BRIDGED_GAP_S, 4 * interval_s)
    total = covered = 0.0
    for (left, low), (right, high) in pairwise(points):
        if low is None or high is None or right - left > longest:
            continue
        begin, finish = max(left, start_s), min(right, end_s)
        if finish <= begin:
            continue
        # A trapezoid across an edge counts with its part within the window; a line's mean is its value in the middle.
        slope = (high - low) / (right - left)
        middle = low + slope * ((begin + finish) / 2 - left)
        total += middle * (finish - begin)
        covered += finish - begin
    measured = [time for time, value in zip(times, values, strict=True) if value is not None]
    gaps = [after - before for before, after in pairwise(measured)]
    return Integral(
        value=total,
        covered_s=covered,
        duration_s=end_s - start_s,
        max_gap_s=max(gaps, default=None),
        num_samples=len(measured),
    )


@dataclass(frozen=True, kw_only=True)
class CounterDifference:
    """Energy between the first and the last reading of a counter.

    Attributes:
        energy_j: Sum of the increments.
        covered_s: Time that the increments cover.
        num_resets: Number of times that the counter went backwards; the increment at a reset is unknown and left out.
    """

    energy_j: float
    covered_s: float
    num_resets: int


def counter_difference(times: Sequence[float], energies_mj: Sequence[int]) -> CounterDifference:
    """Return the energy between the first and the last reading of a counter, without the increments at resets."""
    # The counter starts from 0 when the driver is loaded or the device is reset.
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
    """Return the counter's update period in seconds, at least the nominal 0.1 s.

    It is estimated by the mean spacing of three or more changes, and by the longest time without a change. Sampling
    gaps above ``max_gap_s`` interrupt the series, because one gap may contain several updates.

    Args:
        points: Time and reading of the counter, including those after the window's end.
        max_gap_s: Longest time between two samples that can distinguish successive updates.
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
    # If every sample differs, the spacing is the sampling interval, and the true period is at most that.
    mean = sum(spacings) / len(spacings) if len(spacings) >= _MIN_CHANGES else 0.0
    return max(NOMINAL_PERIOD_S, mean, longest_still)


def edge_ticks(
    times: Sequence[float], energies_mj: Sequence[int], later: Sequence[tuple[float, int]]
) -> tuple[float | None, float | None]:
    """Return the increment in joules of the counter's first update after the start of the window, and after its end.

    A reading lags the true energy by the amount since the counter's last update, which is at most the increment of the
    next update. So the first change after each edge bounds the error at that edge, for any load and any update period.
    A change more than half a second after the edge may be the sum of several updates; it is not used.

    Args:
        times: Times of the counter's readings within the window.
        energies_mj: These readings.
        later: Time and reading after the window's end.

    Returns:
        The two increments; ``None`` if an update was not observed.
    """
    if not energies_mj:
        return None, None
    # After the end, the increment counts from the last reading within the window.
    inside = list(zip(times, energies_mj, strict=True))
    after = [inside[-1], *later]
    return _next_increment_j(inside), _next_increment_j(after)


def _next_increment_j(points: Sequence[tuple[float, int]]) -> float | None:
    """Return the first increment of a counter in joules; ``None`` if it was observed too late or not at all."""
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
    """Return the half-width in joules of the interval around a counter difference that contains the true energy.

    It is peak power times update period, or the larger increment at an edge (``ticks_j``). If an increment was not
    observed, the power at that edge may have been anything up to the enforced limit, which is then used.

    Args:
        peak_w: Highest power sample; ``None`` if there is none.
        limit_w: Enforced power limit; ``None`` if it is unknown.
        period_s: Update period of the counter.
        ticks_j: The increments that ``edge_ticks`` returned.

    Returns:
        The half-width; ``None`` if nothing bounds it.
    """
    bounds = [tick for tick in ticks_j if tick is not None]
    if peak_w is not None:
        bounds.append(peak_w * period_s)
    if peak_w is None or None in ticks_j:
        if limit_w is not None:
            bounds.append(limit_w * period_s)
        elif peak_w is None:
            return None
    # Each of the two readings is rounded down to the counter's resolution.
    return max(bounds) + 2 * _COUNTER_RESOLUTION_J


def divergence(integrated_j: float, counted_j: float) -> float:
    """Return the difference of the integrated and the counted energy, as a signed share of the counted one."""
    return (integrated_j - counted_j) / counted_j


def downsample(
    times: Sequence[float], values: Sequence[float | None], *, max_points: int, largest: bool
) -> tuple[list[float], list[float | None]]:
    """Return at most ``max_points`` points by ``DOWNSAMPLING_RULE``; bins without a value give ``None``.

    Args:
        times: Increasing, in seconds.
        values: One value per time; ``None`` if a sample failed.
        max_points: Number of bins; a shorter series is returned unchanged.
        largest: Whether to keep the largest value of each bin instead of its mean.
    """
    if len(times) <= max_points:
        return list(times), list(values)
    # Bins of equal time, not of equal numbers of samples, so that a gap stays visible as empty bins.
    width = (times[-1] - times[0]) / max_points
    bins: list[list[float]] = [[] for _ in range(max_points)]
    for time, value in zip(times, values, strict=True):
        if value is not None:
            bins[min(max_points - 1, math.floor((time - times[0]) / width))].append(value)
    middles = [times[0] + (number + 0.5) * width for number in range(max_points)]
    if largest:
        return middles, [max(content, default=None) for content in bins]
    return middles, [sum(content) / len(content) if content else None for content in bins]
