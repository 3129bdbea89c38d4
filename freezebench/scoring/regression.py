"""Metrics of regression: correlations and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freezebench.scoring.confusion import undefined_is_silent
from freezebench.scoring.metric import Metric

if TYPE_CHECKING:
    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Values


def _pearson(examples: Examples) -> float:
    from scipy.stats import pearsonr

    with undefined_is_silent():
        return float(pearsonr(examples.labels, examples.predictions).statistic)


def _spearman(examples: Examples) -> float:
    from scipy.stats import spearmanr

    with undefined_is_silent():
        return float(spearmanr(examples.labels, examples.predictions).statistic)


def _rmse(examples: Examples) -> float:
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(examples.labels, examples.predictions))


def _mae(examples: Examples) -> float:
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(examples.labels, examples.predictions))


def _absolute_errors(examples: Examples) -> Values:
    errors: Values = np.abs(examples.labels - examples.predictions)
    return errors


def _r2(examples: Examples) -> float:
    from sklearn.metrics import r2_score

    with undefined_is_silent():
        return float(r2_score(examples.labels, examples.predictions, force_finite=False))


PEARSON = Metric(
    name="pearson",
    label="Pearson correlation",
    tasks=("regression",),
    value=_pearson,
    source="scipy.stats.pearsonr",
)
SPEARMAN = Metric(
    name="spearman",
    label="Spearman correlation",
    tasks=("regression",),
    value=_spearman,
    source="scipy.stats.spearmanr",
)
RMSE = Metric(
    name="rmse",
    label="RMSE",
    tasks=("regression",),
    value=_rmse,
    unit="label units",
    higher_is_better=False,
    source="sklearn.metrics.root_mean_squared_error",
)
MAE = Metric(
    name="mae",
    label="mean absolute error",
    tasks=("regression",),
    value=_mae,
    contributions=_absolute_errors,
    unit="label units",
    higher_is_better=False,
    source="sklearn.metrics.mean_absolute_error",
)
R2 = Metric(
    name="r2",
    label="R²",
    tasks=("regression",),
    value=_r2,
    source="sklearn.metrics.r2_score",
)
