"""Tests of counts of classes."""

from __future__ import annotations

import numpy as np

from drawn_examples import drawn
from freezebench.scoring.counts import Counts, counts_without_each


def test_counts_without_one_example_each() -> None:
    """Examples of one class and prediction share a row, which lacks one of them."""
    examples = drawn("sequence-classification", 0, 30)
    counts, kind_of = counts_without_each(examples)
    assert len(counts.true) == len(set(zip(examples.labels.tolist(), examples.predictions.tolist(), strict=True))) < 30
    for number in range(30):
        rest = examples.without(number)
        is_right = rest.labels == rest.predictions
        assert counts.true[kind_of[number]].tolist() == np.bincount(rest.labels, minlength=3).tolist()
        assert counts.predicted[kind_of[number]].tolist() == np.bincount(rest.predictions, minlength=3).tolist()
        assert counts.right[kind_of[number]].tolist() == np.bincount(rest.labels[is_right], minlength=3).tolist()


def test_f1_of_counts() -> None:
    """A class that neither occurs nor is predicted has the F1 0, and pooled classes that of their sums."""
    counts = Counts(true=np.array([4, 0, 1]), predicted=np.array([2, 0, 3]), right=np.array([2, 0, 0]))
    assert counts.f1.tolist() == [4 / 6, 0, 0]
    assert counts.pooled.f1.tolist() == [4 / 10]
