"""Tests of bounds of the drop of a metric that is a share."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.mean_squares import mean_squares_of_arms
from freezebench.verdicts.score_bounds import Arms

NEAR_ONE = Arms(baseline=0.97, candidate=0.95, baseline_se=0.01, candidate_se=0.015, drop_se=0.008, num_examples=300)


def test_bounds_of_a_single_arm_lie_between_the_usual_ones_and_those_of_wilson() -> None:
    """Against an arm without a spread, half of the difference between them is taken from each arm."""
    share, n, z = 0.9, 50, 1.645
    se = math.sqrt(share * (1 - share) / n)
    arms = Arms(baseline=1.0, candidate=share, baseline_se=0.0, candidate_se=se, drop_se=se, num_examples=10**9)
    lower, upper = arms.bounds(z)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    width = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert 0.1 + z * se < upper < 1 - (centre - width)
    assert 0.1 - z * se < lower < 1 - (centre + width)


def test_the_upper_bound_is_farther_away_near_one() -> None:
    """A larger loss would have a larger variance, and a smaller loss a smaller one."""
    lower, upper = NEAR_ONE.bounds(1.645)
    assert upper - 0.02 > 1.645 * 0.008 > 0.02 - lower > 1.645 * 0.004


def test_swapped_arms_mirror_the_bounds() -> None:
    """Neither arm is special."""
    swapped = replace(NEAR_ONE, baseline=0.95, candidate=0.97, baseline_se=0.015, candidate_se=0.01)
    lower, upper = NEAR_ONE.bounds(1.645)
    assert swapped.bounds(1.645) == pytest.approx((-upper, -lower))


def test_near_one_half_the_bounds_are_the_usual_ones() -> None:
    """The variance hardly changes there."""
    arms = replace(NEAR_ONE, baseline=0.51, candidate=0.49)
    assert arms.bounds(1.645) == pytest.approx((0.02 - 1.645 * 0.008, 0.02 + 1.645 * 0.008), abs=1e-4)


@pytest.mark.parametrize(
    "arms",
    [
        replace(NEAR_ONE, baseline=1.0, candidate=1.0, baseline_se=0.0, candidate_se=0.0, drop_se=0.001),
        replace(NEAR_ONE, baseline=1.0, candidate=0.2, drop_se=0.3),
        replace(NEAR_ONE, drop_se=0.2),
        replace(NEAR_ONE, num_examples=2),
    ],
    ids=["no error", "wide", "more than both arms", "two examples"],
)
def test_bounds_are_finite_and_on_both_sides(arms: Arms) -> None:
    """Also where the arms are at the end of the range, or the pooled error is larger than theirs."""
    lower, upper = arms.bounds(4.3)
    assert -math.inf < lower < arms.baseline - arms.candidate < upper < math.inf


def test_outcomes_that_are_not_finite_give_no_bounds() -> None:
    """NaN must not pass."""
    broken = np.array([[0.9, 0.8, np.nan], [0.9, 0.7, 0.8]])
    squares = mean_squares_of_arms(broken, broken * 0.9, is_share=True)
    assert not interval_from_mean_squares(squares).is_finite


def test_the_interval_takes_them_for_shares_alone() -> None:
    """The drop, its standard error and the degrees of freedom are the same."""
    rng = np.random.default_rng(0)
    baseline = np.clip(rng.normal(0.97, 0.1, (3, 200)), 0, 1)
    candidate = baseline - np.where(rng.random((3, 200)) < 0.1, 0.3, 0.0)
    plain, score = (
        interval_from_mean_squares(mean_squares_of_arms(baseline, candidate, is_share=is_share))
        for is_share in (False, True)
    )
    assert (score.drop_pp, score.se_pp, score.df) == (plain.drop_pp, plain.se_pp, plain.df)
    assert score.upper_pp > plain.upper_pp
    assert score.lower_pp > plain.lower_pp
