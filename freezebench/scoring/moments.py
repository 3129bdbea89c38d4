"""Leave-one-out values of metrics of two columns of numbers, from sums of squares and products.

Without example ``i`` of ``n``, the sum of products ``Σ (x - x̄)(y - ȳ)`` is smaller by
``n / (n - 1) · (x_i - x̄)(y_i - ȳ)``, where the means are those of all examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freezebench.scoring.metric import Values

    Numbers = NDArray[np.float64] | NDArray[np.int64]

# A sum of squares below this share of the whole one is rounding: the numbers are all equal.
_ROUNDING = 1e-12


def pearson_without_each(first: Numbers, second: Numbers) -> Values:
    """Return Pearson's correlation without one example each; NaN where a column is constant."""
    return ratio(_products(first, second), np.sqrt(_squares(first)) * np.sqrt(_squares(second)))


def r2_without_each(labels: Numbers, predictions: Numbers) -> Values:
    """Return the coefficient of determination without one example each; NaN where the labels are constant."""
    values: Values = 1 - ratio(_sum_without_each(np.square(labels - predictions)), _squares(labels))
    return values


def rmse_without_each(labels: Numbers, predictions: Numbers) -> Values:
    """Return the root of the mean squared error without one example each."""
    errors: Values = np.sqrt(_sum_without_each(np.square(labels - predictions)) / (len(labels) - 1))
    return errors


def kappa_without_each(labels: Numbers, predictions: Numbers) -> Values:
    """Return Cohen's kappa with quadratic weights without one example each; NaN where both columns are constant.

    It is ``1 - Σ (x - y)² / Σ Σ (x_i - y_j)² · n``, whose denominator follows from sums (Fleiss and Cohen 1973).
    """
    x, y = labels.astype(np.float64), predictions.astype(np.float64)
    disagreement = _sum_without_each(np.square(x - y))
    expected = _squares(x) + _squares(y) + (len(x) - 1) * np.square(_mean_without_each(x) - _mean_without_each(y))
    values: Values = 1 - ratio(disagreement, expected)
    return values


def ratio(numerator: Values, denominator: Values) -> Values:
    """Return a ratio; NaN where the denominator is not positive."""
    is_defined = denominator > 0
    return np.where(is_defined, numerator / np.where(is_defined, denominator, 1.0), np.nan)


def _mean_without_each(numbers: Values) -> Values:
    means: Values = (numbers.sum() - numbers) / (len(numbers) - 1)
    return means


def _sum_without_each(numbers: Values) -> Values:
    """Return the sum of numbers that are not negative, without one each."""
    total = numbers.sum()
    sums: Values = total - numbers
    return np.where(sums > _ROUNDING * total, sums, 0.0)


def _products(first: Numbers, second: Numbers) -> Values:
    """Return the sum of products of deviations from the means, without one example each."""
    n = len(first)
    products = (first - first.mean()) * (second - second.mean())
    values: Values = products.sum() - products * (n / (n - 1))
    return values


def _squares(numbers: Numbers) -> Values:
    """Return the sum of squared deviations from the mean, without one example each; 0 where all are equal."""
    squares = _products(numbers, numbers)
    return np.where(squares > _ROUNDING * np.square(numbers - numbers.mean()).sum(), squares, 0.0)
