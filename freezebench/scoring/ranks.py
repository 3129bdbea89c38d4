"""Leave-one-out values of Spearman's correlation, by updates of the ranks.

Without example ``i``, the rank of ``j`` is smaller by ``a_ij = (1 + sign(x_j - x_i)) / 2``: by 1 if its number is
larger than that of ``i``, by a half if both are equal, since equal numbers share their mean rank. The sums of squares
and products of these ranks follow from sums over the sorted numbers, and from how many examples agree with ``i`` in
order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from freezebench.scoring.moments import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freezebench.scoring.metric import Values

    Numbers = NDArray[Any]
    Integers = NDArray[np.int64]


_SMALL = 2**16  # below it, positions fit into 16 bits


def spearman_without_each(first: Numbers, second: Numbers) -> Values:
    """Return Spearman's correlation without one example each; NaN where a column is constant."""
    from scipy.stats import rankdata

    columns = [np.unique(numbers, return_inverse=True)[1].astype(np.int64) for numbers in (first, second)]
    x, y = (rankdata(column) for column in columns)
    n = len(x)
    # Average ranks of n - 1 examples have this mean, ties or not.
    correction = (n - 1) * np.square(n / 2)
    squares = [
        np.square(ranks).sum() - 2 * _weighted(ranks, column) + _squared_steps(column) - np.square(ranks - 0.5)
        for ranks, column in ((x, columns[0]), (y, columns[1]))
    ]
    signs = [_sum_of_signs(column) for column in columns]
    steps = (n + signs[0] + signs[1] + _concordance(*columns)) / 4
    products = x @ y - _weighted(x, columns[1]) - _weighted(y, columns[0]) + steps - (x - 0.5) * (y - 0.5)
    variances = (squares[0] - correction) * (squares[1] - correction)
    return ratio(products - correction, np.sqrt(np.maximum(variances, 0.0)))


def _weighted(weights: Values, column: Integers) -> Values:
    """Return ``Σ_j weights_j a_ij`` for every ``i``: the weights above it, and half of those at its own number."""
    at = np.bincount(column, weights)
    above = at.sum() - np.cumsum(at)
    values: Values = (above + at / 2)[column]
    return values


def _squared_steps(column: Integers) -> Values:
    """Return ``Σ_j a_ij²`` for every ``i``."""
    at = np.bincount(column)
    values: Values = (at.sum() - np.cumsum(at) + at / 4)[column]
    return values


def _sum_of_signs(column: Integers) -> Integers:
    """Return ``Σ_j sign(x_j - x_i)`` for every ``i``: how many numbers are larger, less how many are smaller."""
    at = np.bincount(column)
    below = np.cumsum(at) - at
    values: Integers = (at.sum() - at - 2 * below)[column]
    return values


def _concordance(x: Integers, y: Integers) -> Integers:
    """Return ``Σ_j sign(x_j - x_i) sign(y_j - y_i)`` for every ``i``."""
    same = _num_larger_in_both(x, y) + _num_larger_in_both(-x, -y)
    return same - _num_larger_in_both(x, -y) - _num_larger_in_both(-x, y)


def _num_larger_in_both(x: Integers, y: Integers) -> Integers:
    """Return for every example how many others have a larger ``x`` and a larger ``y``, in time ``n log² n``.

    The examples are sorted by ``x``, so that those with a larger one follow, and then merged in blocks of doubling
    size: in each pair of blocks, the examples of the left one count those of the right one that have a larger ``y``.
    """
    # Of equal x, the larger y comes first, so that none of them counts another.
    order = np.lexsort((-y, x))
    y = y[order]
    # Small integers are sorted in linear time.
    position = np.arange(len(y), dtype=np.uint16 if len(y) <= _SMALL else np.int64)
    falling = np.argsort(-y, kind="stable")
    counts = np.zeros(len(y), dtype=np.int64)
    width = 1
    while width < len(y):
        is_right = position // width % 2 == 1
        # By pair of blocks, then by falling y; of equal y the left block comes first, so that it does not count them.
        merged = falling[np.argsort(position[falling] // (2 * width), kind="stable")]
        right_before = np.cumsum(is_right[merged])
        right_in_earlier_pairs = (merged // (2 * width)) * width
        counts[merged] += np.where(is_right[merged], 0, right_before - right_in_earlier_pairs)
        width *= 2
    counts[order] = counts.copy()
    return counts
