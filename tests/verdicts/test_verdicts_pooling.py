"""The variance between seeds pooled over a grid."""

from __future__ import annotations

import numpy as np
import pytest

from freezebench.errors import SettingsError
from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.mean_squares import MeanSquares
from freezebench.verdicts.pooling import pooled_interval, pooled_seed_variance


def squares(seeds: float, *, num_seeds: int = 3, num_sentences: int = 100) -> MeanSquares:
    """Return mean squares with residual 0.05 and sentences 0.08."""
    return MeanSquares(
        drop=np.asarray(0.01),
        seeds=np.asarray(seeds),
        sentences=np.asarray(0.08),
        residual=np.asarray(0.05),
        num_seeds=num_seeds,
        num_sentences=num_sentences,
    )


def test_pooling_averages_the_component_between_seeds() -> None:
    """The pooled variance is the mean of (MS_S - MS_E) / n, and the shared baseline costs degrees of freedom."""
    pooled = pooled_seed_variance({"a": squares(0.05), "b": squares(0.15), "c": squares(0.10)})
    assert pooled.variance == pytest.approx(0.05 / 100)
    assert pooled.df == pytest.approx(6 / 1.5)
    assert pooled.names == ("a", "b", "c")


def test_pooling_alone_changes_nothing() -> None:
    """Pooled over itself alone, a configuration keeps its interval."""
    own = squares(0.15)
    alone, pooled = interval_from_mean_squares(own), pooled_interval(own, pooled_seed_variance({"a": own}))
    assert (pooled.lower_pp, pooled.upper_pp) == pytest.approx((alone.lower_pp, alone.upper_pp))
    assert pooled.df == pytest.approx(alone.df)


def test_diverged_arms_are_left_out() -> None:
    """A diverged arm's spread does not reach the others."""
    grid = {"a": squares(0.06), "b": squares(0.08), "gone": squares(90.0)}
    pooled = pooled_seed_variance(grid, diverged={"gone"})
    assert pooled == pooled_seed_variance({"a": grid["a"], "b": grid["b"]})


def test_the_pooled_variance_is_never_negative() -> None:
    """Less spread between seeds than the residual explains counts as none."""
    pooled = pooled_seed_variance({"a": squares(0.0), "b": squares(0.01)})
    assert pooled.variance == 0
    assert pooled_interval(squares(0.0), pooled).se_pp > interval_from_mean_squares(squares(0.0)).se_pp


def test_one_seed_is_neither_pooled_nor_helped() -> None:
    """A single seed adds nothing to the pool and keeps its interval over sentences."""
    single = squares(0.0, num_seeds=1)
    pooled = pooled_seed_variance({"a": squares(0.06), "single": single})
    assert pooled.names == ("a",)
    assert pooled_interval(single, pooled) == interval_from_mean_squares(single)


def test_more_seeds_weigh_more() -> None:
    """Configurations weigh by their degrees of freedom."""
    pooled = pooled_seed_variance({"a": squares(0.05), "b": squares(0.15, num_seeds=9)})
    assert pooled.variance == pytest.approx(0.8 * 0.10 / 100)


def test_what_cannot_be_pooled_is_refused() -> None:
    """An empty pool and test sets of different size are refused."""
    with pytest.raises(SettingsError, match="2 seeds"):
        pooled_seed_variance({"a": squares(0.05)}, diverged=["a"])
    with pytest.raises(SettingsError, match=r"test sets of \[50, 100\] sentences"):
        pooled_seed_variance({"a": squares(0.05), "b": squares(0.05, num_sentences=50)})
    with pytest.raises(SettingsError, match="100 sentences"):
        pooled_interval(squares(0.05, num_sentences=50), pooled_seed_variance({"a": squares(0.05)}))


def test_pooled_bounds_err_about_as_often_as_they_say() -> None:
    """With a shared baseline and equal arms, the pooled 5 % bound misses in 3 to 7 % of simulated grids."""
    rng = np.random.default_rng(11)
    k, n, arms, replications = 3, 200, 5, 1500
    misses = []
    for _ in range(replications):
        # Normal mean squares: seeds of baseline and arms vary alike, residual and sentence parts on top.
        shared = rng.standard_normal(k) * 0.01
        grid = {}
        for name in range(arms):
            effects = shared + rng.standard_normal(k) * 0.01 + rng.standard_normal(k) * np.sqrt(0.05 / n)
            grid[str(name)] = MeanSquares(
                drop=np.asarray(effects.mean() + rng.standard_normal() * np.sqrt(0.02 / n)),
                seeds=np.asarray(n * effects.var(ddof=1)),
                sentences=np.asarray(0.05 + k * 0.02),
                residual=np.asarray(0.05),
                num_seeds=k,
                num_sentences=n,
            )
        pooled = pooled_seed_variance(grid)
        misses.append(pooled_interval(grid["0"], pooled).upper_pp < 0)
    assert 0.03 < np.mean(misses) < 0.07
