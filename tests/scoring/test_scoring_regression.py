"""Tests of metrics of regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from drawn_examples import drawn
from freezebench.scoring.metric import Metric
from freezebench.scoring.regression import MAE, PEARSON, R2, RMSE, SPEARMAN


def test_values_are_those_of_the_libraries() -> None:
    """By the functions that their sources name."""
    examples = drawn("regression", 1, 40)
    labels, predictions = examples.labels, examples.predictions
    assert PEARSON.value(examples) == stats.pearsonr(labels, predictions).statistic
    assert SPEARMAN.value(examples) == stats.spearmanr(labels, predictions).statistic
    assert RMSE.value(examples) == metrics.root_mean_squared_error(labels, predictions)
    assert MAE.value(examples) == metrics.mean_absolute_error(labels, predictions)
    assert R2.value(examples) == metrics.r2_score(labels, predictions)


@pytest.mark.parametrize("metric", [PEARSON, SPEARMAN], ids=lambda metric: metric.name)
def test_constant_predictions_have_no_correlation(metric: Metric) -> None:
    """It is not a number, which no verdict takes for a good one, and no warning of scipy is shown."""
    examples = drawn("regression", 0)
    constant = replace(examples, predictions=np.full(len(examples), 2.5))
    assert metric.leave_one_out is not None
    assert np.isnan(metric.value(constant))
    assert np.isnan(metric.leave_one_out(constant)).all()


def test_labels_without_a_spread_have_no_r2() -> None:
    """Minus infinity would be a figure that an interval cannot have."""
    examples = drawn("regression", 0)
    assert np.isnan(R2.value(replace(examples, labels=np.full(len(examples), 3.0))))
