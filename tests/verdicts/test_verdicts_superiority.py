"""Superiority over no freezing, Holm-corrected."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from freezebench.errors import SettingsError
from freezebench.verdicts.crossed import Interval, crossed_interval
from freezebench.verdicts.mean_squares import outcome_differences
from freezebench.verdicts.superiority import holm, holm_levels, superiority


def interval(drop_pp: float, *, se_pp: float = 1.0, num_seeds: int = 3) -> Interval:
    """Return an interval with 10 degrees of freedom."""
    return Interval(
        drop_pp=drop_pp,
        lower_pp=drop_pp - 2 * se_pp,
        upper_pp=drop_pp + 2 * se_pp,
        se_pp=se_pp,
        df=10.0,
        alpha=0.05,
        num_seeds=num_seeds,
        num_sentences=872,
    )


def test_holm_agrees_with_a_worked_example() -> None:
    """R's documented p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm") gives 0.04, 0.06, 0.06, 0.06, in any order."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    """Adjusted p-values are at least the raw ones, at most Bonferroni's, and keep their order."""
    adjusted = holm(p_values)
    for raw, after in zip(p_values, adjusted, strict=True):
        assert raw <= after <= min(1.0, len(p_values) * raw)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [adjusted[index] for index in order] == sorted(adjusted)


@pytest.mark.parametrize("p_value", [math.nan, -0.1, 1.1])
def test_what_is_no_p_value_is_refused(p_value: float) -> None:
    """NaN and numbers outside 0 to 1 are refused."""
    with pytest.raises(SettingsError, match="p-value"):
        holm([0.5, p_value])


def test_p_value_is_the_t_probability_of_the_drop() -> None:
    """The unadjusted p-value is P(T(df) <= D / SE) of SciPy's t distribution."""
    result = superiority({"emb": interval(-2.5)})["emb"]
    assert result.p_value == pytest.approx(stats.t(10).cdf(-2.5))
    assert result.adjusted_p_value == result.p_value
    assert result.better


def test_p_value_of_seeds_that_agree_is_a_paired_t_test() -> None:
    """Without spread between seeds the test is SciPy's paired t-test over sentences."""
    rng = np.random.default_rng(3)
    baseline, candidate = (np.tile(rng.random(300) < share, (4, 1)) for share in (0.8, 0.9))
    expected = stats.ttest_1samp(outcome_differences(baseline, candidate)[0], 0.0, alternative="less").pvalue
    result = superiority({"emb": crossed_interval(baseline, candidate)})["emb"]
    assert result.p_value == pytest.approx(float(expected))


def test_the_grid_is_corrected_as_a_whole() -> None:
    """A drop that would count alone no longer does among eight, and a worse candidate is never better."""
    grid: dict[str, Interval | None] = {f"L{index}": interval(0.0) for index in range(6)}
    results = superiority(grid | {"good": interval(-2.0), "bad": interval(5.0)})
    assert results["good"].p_value < 0.05 < results["good"].adjusted_p_value
    assert not any(result.better for result in results.values())
    assert results["bad"].p_value > 0.99


def test_what_cannot_be_tested_counts_and_is_never_better() -> None:
    """Invalid configurations and single seeds get p = 1 with a reason and keep their place in the count."""
    results = superiority({"a": interval(-2.6), "b": None, "c": interval(-9.0, num_seeds=1), "d": interval(math.nan)})
    assert results["a"].adjusted_p_value == pytest.approx(4 * results["a"].p_value)
    for name, reason in (("b", "no valid runs"), ("c", "one seed"), ("d", "not finite")):
        assert (results[name].p_value, results[name].better) == (1.0, False)
        assert reason in (results[name].reason or "")


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=8), alpha=st.floats(0.001, 0.4))
def test_levels_decide_as_adjusted_p_values_do(p_values: list[float], alpha: float) -> None:
    """A p-value is at most its level if and only if the adjusted one is at most the error rate of all."""
    for p_value, level, adjusted in zip(p_values, holm_levels(p_values, alpha), holm(p_values), strict=True):
        assert alpha / len(p_values) <= level <= alpha
        if adjusted != pytest.approx(alpha, rel=1e-9):
            assert (p_value <= level) == (adjusted <= alpha)
