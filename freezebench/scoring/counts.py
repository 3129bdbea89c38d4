"""Counts of classes, from which F1 and other metrics of predicted classes follow, of all examples and without one each.

Such a metric depends on an example only by what it adds to the counts. Examples of the same class and prediction add
the same, so the metric without one of them is computed once for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Values

    Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """Numbers of examples, labels or entities of every class, each of shape (..., classes).

    Attributes:
        true: How many there are.
        predicted: How many are predicted.
        right: How many are both.
    """

    true: Integers
    predicted: Integers
    right: Integers

    @property
    def f1(self) -> Values:
        """F1 of every class, ``2 TP / (2 TP + FP + FN)``; 0 of one that neither occurs nor is predicted."""
        values: Values = 2 * self.right / np.maximum(self.true + self.predicted, 1)
        return values

    @property
    def pooled(self) -> Counts:
        """The sums over all classes, shape (..., 1)."""
        return Counts(
            true=self.true.sum(axis=-1, keepdims=True),
            predicted=self.predicted.sum(axis=-1, keepdims=True),
            right=self.right.sum(axis=-1, keepdims=True),
        )

    def sum(self) -> Counts:
        """Return the sums over the rows."""
        return Counts(true=self.true.sum(axis=0), predicted=self.predicted.sum(axis=0), right=self.right.sum(axis=0))

    def without_each(self) -> Counts:
        """Return the sums over the rows without one row each."""
        total = self.sum()
        return Counts(
            true=total.true - self.true, predicted=total.predicted - self.predicted, right=total.right - self.right
        )


def counts_without_each(examples: Examples) -> tuple[Counts, Integers]:
    """Return the counts without one example each: those of every kind of example, and the kind of every example.

    Examples of one class are of a kind if class and prediction are the same. Of several labels each is of its own kind.
    """
    if examples.task == "multi-label":
        labels, predictions = examples.labels, examples.predictions
        counts = Counts(true=labels, predicted=predictions, right=labels * predictions)
        return counts.without_each(), np.arange(len(examples))
    num_classes = len(examples.label_names)
    cells = examples.labels * num_classes + examples.predictions
    kinds, kind_of, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    one_hot = np.eye(num_classes, dtype=np.int64)
    true, predicted = one_hot[kinds // num_classes], one_hot[kinds % num_classes]
    right = true * predicted
    return Counts(
        true=sizes @ true - true, predicted=sizes @ predicted - predicted, right=sizes @ right - right
    ), kind_of


def by_counts(metric: Callable[[Counts], Values]) -> Callable[[Examples], Values]:
    """Return the function that gives the leave-one-out values of a metric of counts."""

    def leave_one_out(examples: Examples) -> Values:
        counts, kind_of = counts_without_each(examples)
        return metric(counts)[kind_of]

    return leave_one_out


def balanced_accuracy(counts: Counts) -> Values:
    """Return the mean recall of the classes that occur."""
    occurs = counts.true > 0
    recalls = np.where(occurs, counts.right / np.maximum(counts.true, 1), 0.0)
    values: Values = recalls.sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)
    return values


def matthews_correlation(counts: Counts) -> Values:
    """Return the Matthews correlation of any number of classes (Gorodkin 2004); 0 where one is constant."""
    total, right = counts.true.sum(axis=-1), counts.right.sum(axis=-1)
    covariance = right * total - (counts.true * counts.predicted).sum(axis=-1)
    variances = [total**2 - np.square(part).sum(axis=-1) for part in (counts.true, counts.predicted)]
    deviations = np.sqrt(variances[0]) * np.sqrt(variances[1])
    values: Values = np.where(deviations > 0, covariance / np.where(deviations > 0, deviations, 1.0), 0.0)
    return values
