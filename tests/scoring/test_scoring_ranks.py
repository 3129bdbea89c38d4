"""Tests of updates of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from freezebench.scoring.ranks import _num_larger_in_both, spearman_without_each


def test_counts_of_larger_pairs() -> None:
    """Numbers with ties: strictly larger in both columns."""
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 64, 100):
        x, y = rng.integers(0, 8, n), rng.integers(0, 8, n)
        expected = ((x[None] > x[:, None]) & (y[None] > y[:, None])).sum(axis=1)
        assert _num_larger_in_both(x, y).tolist() == expected.tolist()


def test_numbers_without_ties() -> None:
    """Every rank above that of the example falls by one."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=50)
    y = x + rng.normal(size=50)
    expected = [stats.spearmanr(np.delete(x, number), np.delete(y, number)).statistic for number in range(50)]
    assert spearman_without_each(x, y) == pytest.approx(expected, abs=1e-12)
