"""The pure functions on samples."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.meters.integrate import (
    MAX_BRIDGED_GAP_S,
    NOMINAL_PERIOD_S,
    counter_difference,
    counter_uncertainty,
    divergence,
    downsample,
    edge_ticks,
    trapezoid,
    update_period,
)

WATTS = st.floats(min_value=1, max_value=1000)


def grid(duration_s: float, step_s: float = 0.05) -> list[float]:
    """Return regular times from 0 on, both ends included."""
    return [number * step_s for number in range(round(duration_s / step_s) + 1)]


@given(st.lists(st.tuples(st.floats(min_value=0.01, max_value=0.3), WATTS), min_size=2, max_size=40))
def test_trapezoid_is_exact_for_a_broken_line(steps: list[tuple[float, float]]) -> None:
    """A load that is linear between the samples is integrated exactly, for any spacing."""
    times: list[float] = []
    values: list[float] = []
    now = area = 0.0
    for step_s, watts in steps:
        now += step_s
        if times:
            area += (watts + values[-1]) / 2 * step_s
        times.append(now)
        values.append(watts)
    result = trapezoid(times, values, start_s=times[0], end_s=times[-1], interval_s=0.05)
    assert result.value == pytest.approx(area)
    assert result.is_whole
    assert result.coverage == pytest.approx(1)


def test_trapezoid_clips_to_the_window() -> None:
    """Samples just outside the window complete its first and last trapezoid, which count up to the edge only."""
    result = trapezoid([-0.02, 0.03, 0.08], [100, 200, 300], start_s=0.0, end_s=0.06, interval_s=0.05)
    assert result.value == pytest.approx((140 + 200) / 2 * 0.03 + (200 + 260) / 2 * 0.03)
    assert result.is_whole


def test_trapezoid_keeps_repeated_values() -> None:
    """A sensor that repeats itself reports a constant load, not none."""
    times = grid(2.0)
    assert trapezoid(times, [300.0] * 41, start_s=0, end_s=2, interval_s=0.05).value == pytest.approx(600)


def test_trapezoid_leaves_holes() -> None:
    """Failed samples and long gaps are neither filled in nor counted as covered."""
    times = grid(2.0)
    values: list[float | None] = [300.0] * 41
    values[10] = None
    result = trapezoid(times, values, start_s=0, end_s=2, interval_s=0.05)
    assert result.covered_s == pytest.approx(1.9)
    assert result.value == pytest.approx(570)
    assert result.mean == pytest.approx(300)
    assert not result.is_whole
    assert result.max_gap_s == pytest.approx(0.1)
    sparse = [0.0, 0.05, 0.05 + MAX_BRIDGED_GAP_S + 0.01, 1.0]
    assert trapezoid(sparse, [300] * 4, start_s=0, end_s=1, interval_s=0.05).covered_s == pytest.approx(0.49)


def test_trapezoid_does_not_reach_far_beyond_its_samples() -> None:
    """The time between an edge and a sample more than two intervals away is not covered."""
    result = trapezoid([0.5, 0.55], [300, 300], start_s=0, end_s=1, interval_s=0.05)
    assert result.covered_s == pytest.approx(0.05)
    near = trapezoid([0.09, 0.12], [300, 300], start_s=0, end_s=0.2, interval_s=0.05)
    assert near.covered_s == pytest.approx(0.2)


def test_trapezoid_of_nothing() -> None:
    """No sample covers nothing and has no mean."""
    result = trapezoid([], [], start_s=0, end_s=1, interval_s=0.05)
    assert (result.value, result.covered_s, result.num_samples, result.mean) == (0, 0, 0, None)
    assert result.coverage == 0


@given(st.lists(st.integers(min_value=0, max_value=10_000), min_size=2, max_size=30))
def test_counter_difference_is_never_negative(readings: list[int]) -> None:
    """The difference of a counter is never negative, and every step back is counted as a reset."""
    result = counter_difference([float(number) for number in range(len(readings))], readings)
    assert result.energy_j >= 0
    falls = sum(later < earlier for earlier, later in pairwise(readings))
    assert result.num_resets == falls
    assert result.covered_s == len(readings) - 1 - falls


@pytest.mark.parametrize("period_s", [0.1, 0.15, 0.2, 0.35])
def test_update_period_is_estimated(period_s: float) -> None:
    """The period of a counter that is slower than nominal is estimated from its changes."""
    points = [(time, int(time / period_s + 1e-9)) for time in grid(5.0)]
    assert update_period(points, max_gap_s=0.2) == pytest.approx(period_s, abs=0.02)


@pytest.mark.parametrize("points", [[], [(0.0, 1)], [(0.0, 1), (0.05, 2)], [(n * 0.05, n) for n in range(50)]])
def test_update_period_is_at_least_nominal(points: list[tuple[float, int]]) -> None:
    """With too few updates, or with faster ones than the samples can resolve, the period is the nominal one."""
    assert update_period(points, max_gap_s=0.2) == NOMINAL_PERIOD_S


def test_update_period_is_at_least_a_standstill() -> None:
    """A counter without a change has at least this period."""
    assert update_period([(n * 0.05, 7) for n in range(11)], max_gap_s=0.2) == pytest.approx(0.5)


def test_update_period_is_not_misled_by_gaps() -> None:
    """Several updates in one gap of the samples are not one slow update."""
    points = [(time, int(time / 0.1 + 1e-9)) for time in grid(5.0) if not 1.02 < time % 2 < 1.68]
    assert update_period(points, max_gap_s=0.2) == pytest.approx(0.1, abs=0.02)


def test_edge_ticks() -> None:
    """The first change after each edge is its increment; a late one, or none, gives ``None``."""
    times, energies = [0.0, 0.05, 0.1, 0.15], [1000, 1000, 4000, 4000]
    assert edge_ticks(times, energies, [(0.16, 4000), (0.2, 9000)]) == (3.0, 5.0)
    assert edge_ticks(times, energies, []) == (3.0, None)
    assert edge_ticks([0.0, 9.0], [1000, 4000], []) == (None, None)


@pytest.mark.parametrize(
    ("peak_w", "limit_w", "ticks", "expected"),
    [
        (300, 700, (20.0, 20.0), 30),
        (300, 700, (40.0, 20.0), 40),
        (300, 700, (20.0, 45.0), 45),
        (300, 700, (20.0, None), 70),
        (300, None, (20.0, None), 30),
        (None, 700, (None, None), 70),
        (None, None, (20.0, 20.0), None),
    ],
)
def test_counter_uncertainty(
    peak_w: float | None, limit_w: float | None, ticks: tuple[float | None, float | None], expected: float | None
) -> None:
    """Peak power times period, a larger increment at an edge, or the power limit if one was not observed."""
    result = counter_uncertainty(peak_w=peak_w, limit_w=limit_w, period_s=0.1, ticks_j=ticks)
    assert result == (None if expected is None else pytest.approx(expected, abs=0.003))


def test_divergence_has_a_sign() -> None:
    """An integral below the counter diverges downwards."""
    assert divergence(80.0, 100.0) == pytest.approx(-0.2)


def test_downsample_keeps_means_and_peaks() -> None:
    """Power keeps its mean, memory its largest value; empty bins stay empty."""
    times = [number * 0.1 for number in range(100)]
    values: list[float | None] = [float(number) for number in range(100)]
    middles, means = downsample(times, values, max_points=10, largest=False)
    assert len(middles) == len(means) == 10
    assert means[0] == pytest.approx(4.5)
    _, peaks = downsample(times, values, max_points=10, largest=True)
    assert peaks[0] == 9
    assert peaks[-1] == 99
    _, holes = downsample(times, [None] * 50 + values[50:], max_points=10, largest=True)
    assert holes[:5] == [None] * 5


@given(st.lists(WATTS, min_size=1, max_size=50), st.integers(min_value=1, max_value=60))
def test_downsample_never_exceeds_its_limit(values: list[float], limit: int) -> None:
    """At most the requested number of points is returned; a short series is returned unchanged."""
    times = [float(number) for number in range(len(values))]
    kept_times, kept = downsample(times, values, max_points=limit, largest=True)
    assert len(kept_times) == len(kept) <= max(limit, 1)
    if len(values) <= limit:
        assert kept == values
    assert max(value for value in kept if value is not None) == max(values)
