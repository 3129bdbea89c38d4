"""The variance between seeds pooled over a grid, on the assumption that all configurations share it.

Three seeds leave two degrees of freedom for the variance between seeds, the weakest part of the interval. Where the
configurations of a grid vary alike between seeds, pooling gives the interval more of them. The assumption may be wrong:
a head trained alone varies less than a whole encoder, so pooling is an option and never the default.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from freezebench.errors import SettingsError
from freezebench.verdicts.crossed import Interval, interval_from_mean_squares

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from freezebench.verdicts.mean_squares import MeanSquares

# Differences of two candidates from one baseline share the baseline's half of their variance between seeds.
_CORRELATION_OF_DROPS = 0.5


@dataclass(frozen=True, kw_only=True)
class PooledSeedVariance:
    """The variance of a drop between seeds, pooled over the configurations of a grid.

    Attributes:
        variance: Variance component of the drop between seeds beyond the residual, proportion squared, at least 0.
        df: Degrees of freedom of the pooled mean square, allowing for the baseline that all drops share.
        num_sentences: Number of sentences of the grid.
        names: The configurations that were pooled.
    """

    variance: float
    df: float
    num_sentences: int
    names: tuple[str, ...]


def pooled_seed_variance(squares: Mapping[str, MeanSquares], *, diverged: Collection[str] = ()) -> PooledSeedVariance:
    """Return the variance between seeds pooled over a grid.

    ``max(mean of (MS_S - MS_E) / n, 0)``, each configuration weighted by its ``k - 1``. Drops from one baseline are
    correlated (0.5 when all arms vary alike), hence their mean squares by 0.25: the degrees of freedom are
    ``sum(k - 1) / (1 + (C - 1) / 4)`` for ``C`` configurations, by Satterthwaite's approximation (1946, Biometrics
    Bulletin 2:110-114).

    Args:
        squares: Mean squares of every configuration's differences from the same baseline (single layouts).
        diverged: Configurations to leave out: a diverged run's spread is no estimate of the others' spread.

    Raises:
        SettingsError: If no configuration with at least two seeds is left, or the numbers of sentences differ.
    """
    kept = {name: item for name, item in squares.items() if name not in diverged and item.num_seeds > 1}
    if not kept:
        raise SettingsError("no configuration with 2 seeds or more is left, over which to pool: give more seeds.")
    num_sentences = {item.num_sentences for item in kept.values()}
    if len(num_sentences) > 1:
        raise SettingsError(
            f"cannot pool over test sets of {sorted(num_sentences)} sentences: give configurations of one test set."
        )
    n = num_sentences.pop()
    weights = [item.num_seeds - 1 for item in kept.values()]
    components = [float(item.seeds - item.residual) / n for item in kept.values()]
    return PooledSeedVariance(
        variance=max(statistics.fmean(components, weights), 0.0),
        df=sum(weights) / (1 + (len(kept) - 1) * _CORRELATION_OF_DROPS**2),
        num_sentences=n,
        names=tuple(kept),
    )


def pooled_interval(squares: MeanSquares, pooled: PooledSeedVariance, *, alpha: float = 0.05) -> Interval:
    """Return the interval of one configuration with the pooled variance between seeds in place of its own.

    ``MS_S`` becomes ``MS_E + n * variance`` with the pooled degrees of freedom; everything else is as in
    ``freezebench.verdicts.crossed``. A single seed keeps its interval over sentences, and so its verdict: pooling must
    not decide a configuration that was never repeated.

    Args:
        squares: Mean squares of the configuration's differences (a single layout).
        pooled: The pooled variance.
        alpha: Error rate of each one-sided bound, between 0 and 0.5.

    Raises:
        SettingsError: If the number of sentences is not the pooled one, or ``alpha`` is out of range.
    """
    if squares.num_sentences != pooled.num_sentences:
        raise SettingsError(
            f"the variance was pooled over {pooled.num_sentences} sentences, and this configuration has "
            f"{squares.num_sentences}: give configurations of one test set."
        )
    if squares.num_seeds == 1:
        return interval_from_mean_squares(squares, alpha=alpha)
    seeds = np.asarray(squares.residual + squares.num_sentences * pooled.variance)
    return interval_from_mean_squares(replace(squares, seeds=seeds), alpha=alpha, seed_df=pooled.df)
