"""Limits on time, energy and memory: medians, rank tests, and the A/A check."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from freezebench.errors import FreezebenchError, SettingsError
from freezebench.verdicts.resources import (
    ResourceFiguresError,
    ResourceVerdict,
    aa_check,
    compare_peak,
    compare_runs,
    interleaved,
)

BASELINE = [10.0, 10.1, 9.9, 10.2, 9.8]


def compared(candidate: list[float], **options: Any) -> ResourceVerdict:
    """Return the verdict on training time at a limit of 1.05."""
    return compare_runs(BASELINE, candidate, quantity="train_s", limit=options.pop("limit", 1.05), **options)


def test_within_the_limit() -> None:
    """A ratio of medians up to the limit passes; the reason has ratio and limit."""
    verdict = compared([10.3, 10.4, 10.2, 10.5, 10.1])
    assert verdict.outcome == "within_limit"
    assert verdict.reason == "train_s ratio 1.030, limit 1.050"


def test_past_the_limit_needs_a_rank_test() -> None:
    """Five runs all past the limit fail with the exact p-value of complete separation, 1 / 252."""
    verdict = compared([12.0, 12.1, 11.9, 12.2, 11.8])
    assert verdict.outcome == "past_limit"
    assert verdict.ratio == pytest.approx(1.2)
    assert verdict.p_value == pytest.approx(1 / math.comb(10, 5))


def test_noise_past_the_limit_is_inconclusive() -> None:
    """A median past the limit that ranks do not confirm decides nothing."""
    verdict = compared([9.0, 9.5, 10.8, 11.0, 12.0])
    assert verdict.outcome == "inconclusive"
    assert "noise could explain it" in verdict.reason


def test_pairs_within_a_session_cancel_drift() -> None:
    """Drift that hides a difference between unpaired runs cancels within pairs: p = 1 / 32."""
    drift = [10.0, 13.0, 17.0, 22.0, 29.0]
    slower = [figure * factor for figure, factor in zip(drift, (1.10, 1.11, 1.12, 1.13, 1.14), strict=True)]
    apart = compare_runs(drift, slower, quantity="energy_j", limit=1.05)
    paired = compare_runs(drift, slower, quantity="energy_j", limit=1.05, paired=True)
    assert (apart.outcome, paired.outcome) == ("inconclusive", "past_limit")
    assert paired.p_value == pytest.approx(1 / 32)


def test_a_required_speed_up_is_a_limit_below_one() -> None:
    """A candidate that is faster, but not as much as required, fails."""
    options: dict[str, Any] = {"limit": 1 / 1.5, "paired": True}
    assert compared([6.0, 6.1, 5.9, 6.2, 5.8], **options).outcome == "within_limit"
    assert compared([8.0, 8.1, 7.9, 8.2, 7.8], **options).outcome == "past_limit"


@pytest.mark.parametrize("num_runs", [0, 1, 4])
def test_fewer_than_five_runs_decide_nothing(num_runs: int) -> None:
    """Four runs are inconclusive however slow they are, and none at all has no ratio."""
    verdict = compared([99.0] * num_runs)
    assert verdict.outcome == "inconclusive"
    assert "at least 5" in verdict.reason
    assert (verdict.ratio is None) == (num_runs == 0)


def test_a_noisy_machine_is_invalid_not_a_regression() -> None:
    """Runs of one configuration that differ by more than half the limit void the comparison."""
    slow = [12.0] * 5
    assert compared(slow, same_arm=(BASELINE, [10.4] * 5)).outcome == "invalid"
    assert compared(slow, same_arm=(BASELINE, [10.2] * 5)).outcome == "past_limit"


@pytest.mark.parametrize("limit", [1.05, 1 / 1.05])
@pytest.mark.parametrize(("ratio", "quiet"), [(1.024, True), (1.026, False), (1 / 1.024, True), (1 / 1.026, False)])
def test_the_noise_check_works_both_ways_round(limit: float, ratio: float, *, quiet: bool) -> None:
    """Half of what the limit allows is the same for slower and faster, and for a limit and its inverse."""
    noise = aa_check([10.0], [10.0 * ratio], limit=limit, quantity="train_s")
    assert (noise is None) == quiet
    assert quiet or "machine is too noisy" in str(noise)


def test_peak_memory_has_a_plain_tolerance() -> None:
    """One run each is enough; one percent more passes, two percent fail."""
    assert compare_peak(1000, 1010, quantity="peak_allocated_bytes").outcome == "within_limit"
    verdict = compare_peak(1000, 1020, quantity="peak_allocated_bytes")
    assert verdict.outcome == "past_limit"
    assert verdict.reason == "peak_allocated_bytes ratio 1.020, limit 1.010"


@pytest.mark.parametrize("figure", [0.0, -1.0, math.nan, math.inf])
def test_figures_without_ratio_are_refused(figure: float) -> None:
    """Zero, negative and non-finite figures are errors, so that NaN cannot pass a gate."""
    with pytest.raises(ResourceFiguresError, match="usable"):
        compared([10.0, 10.0, 10.0, 10.0, figure])
    with pytest.raises(ResourceFiguresError, match="usable"):
        compare_peak(figure, 10.0, quantity="peak_allocated_bytes")
    with pytest.raises(ResourceFiguresError, match="usable"):
        aa_check([figure], [10.0], limit=1.05, quantity="train_s")
    assert issubclass(ResourceFiguresError, FreezebenchError)


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf])
def test_unfit_limits_are_refused(limit: float) -> None:
    """A limit that is not a positive ratio is refused."""
    with pytest.raises(SettingsError, match="limit"):
        compared(BASELINE, limit=limit)


def test_unfit_settings_are_refused() -> None:
    """Pairs of different length, an A/A check without runs or at a limit of 1, and no pairs are refused."""
    with pytest.raises(SettingsError, match="cannot pair 5 with 6"):
        compared([10.0] * 6, paired=True)
    with pytest.raises(ResourceFiguresError, match="no runs on one side"):
        aa_check([], [1.0], limit=1.05, quantity="train_s")
    with pytest.raises(SettingsError, match="allows no noise"):
        aa_check([1.0], [1.0], limit=1.0, quantity="train_s")
    with pytest.raises(SettingsError, match="cannot interleave 0"):
        interleaved(0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("paired", [False, True])
def test_ties_are_no_problem(*, paired: bool) -> None:
    """Equal figures, and ratios equal to the limit, give a p-value without a warning."""
    verdict = compare_runs(
        [10.0, 10.0, 10.0, 10.0, 10.0, 10.0],
        [10.5, 12.0, 12.0, 12.0, 12.0, 9.0],
        quantity="train_s",
        limit=1.05,
        paired=paired,
    )
    assert verdict.p_value is not None
    assert 0 < verdict.p_value < 1


def test_interleaving_lets_each_arm_lead_half_the_pairs() -> None:
    """The order is A B B A, again and again."""
    assert "".join(interleaved(5)) == "ABBAABBAAB"


def test_reruns_at_the_limit_rarely_fail() -> None:
    """At a true ratio equal to the limit at most about 5 % fail, and hardly any rerun of a pass fails."""
    rng = np.random.default_rng(2)
    outcomes = [
        compare_runs(
            rng.lognormal(0.0, 0.02, 5).tolist(),
            (1.05 * rng.lognormal(0.0, 0.02, 5)).tolist(),
            quantity="train_s",
            limit=1.05,
        ).outcome
        for _ in range(400)
    ]
    assert outcomes.count("past_limit") / 400 < 0.08
