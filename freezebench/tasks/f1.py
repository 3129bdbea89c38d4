"""F1 of classes and labels, which every evaluation has, whatever the metric of the verdicts is.

It is computed by numpy: importing scikit-learn would take seconds and 140 MB, which would be a part of the peak memory
of every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def f1_by_label(labels: NDArray[np.bool_], predictions: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return F1 = 2 TP / (2 TP + FP + FN) of every label; one that neither occurs nor is predicted counts 0.

    Args:
        labels: Which label every row has, shape (rows, labels).
        predictions: The same as predicted.
    """
    hits = (labels & predictions).sum(axis=0)
    scores: NDArray[np.float64] = 2 * hits / np.maximum(labels.sum(axis=0) + predictions.sum(axis=0), 1)
    return scores
