"""Tests of leave-one-out values from sums of squares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from freezebench.scoring.moments import pearson_without_each, rmse_without_each


def test_numbers_far_from_zero_lose_no_digits() -> None:
    """Sums are those of deviations from the means: labels such as years do not cancel."""
    rng = np.random.default_rng(0)
    labels = 1e6 + rng.normal(size=30)
    predictions = labels + rng.normal(size=30)
    expected = [
        stats.pearsonr(np.delete(labels, number), np.delete(predictions, number)).statistic for number in range(30)
    ]
    assert pearson_without_each(labels, predictions) == pytest.approx(expected, abs=1e-9)


def test_the_only_number_that_differs() -> None:
    """Without it the column is constant, and there is no correlation."""
    values = pearson_without_each(np.array([0.1, 0.1, 0.1, 7.0]), np.array([1.0, 2.0, 4.0, 9.0]))
    assert np.isnan(values).tolist() == [False, False, False, True]


def test_the_only_error() -> None:
    """Without it there is none, and rounding does not make it negative."""
    assert rmse_without_each(np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2, 0.7]))[2] == 0
