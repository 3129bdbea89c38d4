"""Metrics of regression: correlations and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freezebench.scoring.confusion import undefined_is_silent
from freezebench.scoring.few import too_few_pairs
from freezebench.scoring.metric import Metric
from freezebench.scoring.moments import pearson_without_each, r2_without_each, rmse_without_each
from freezebench.scoring.ranks import spearman_without_each

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
        value = float(r2_score(examples.labels, examples.predictions, force_finite=False))
    return value if np.isfinite(value) else np.nan  # labels without a spread give minus infinity


PEARSON = Metric(
    name="pearson",
    label="Pearson correlation",
    tasks=("regression",),
    value=_pearson,
    too_few_labels=too_few_pairs,
    leave_one_out=lambda examples: pearson_without_each(examples.labels, examples.predictions),
    source="scipy.stats.pearsonr",
)
SPEARMAN = Metric(
    name="spearman",
    label="Spearman correlation",
    tasks=("regression",),
    value=_spearman,
    too_few_labels=too_few_pairs,
    leave_one_out=lambda examples: spearman_without_each(examples.labels, examples.predictions),
    source="scipy.stats.spearmanr",
)
RMSE = Metric(
    name="rmse",
    label="RMSE",
    tasks=("regression",),
    value=_rmse,
    too_few_labels=too_few_pairs,
    leave_one_out=lambda examples: rmse_without_each(examples.labels, examples.predictions),
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
    too_few_labels=too_few_pairs,
    leave_one_out=lambda examples: r2_without_each(examples.labels, examples.predictions),
    source="sklearn.metrics.r2_score",
)
