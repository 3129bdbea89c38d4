"""Tests of the outcome of every example."""

from __future__ import annotations

import numpy as np
import pytest

from freezebench.scoring.examples import Examples
from freezebench.scoring.metric import Metric
from freezebench.scoring.metrics import ACCURACY
from freezebench.scoring.outcomes import outcomes


def test_outcomes_of_accuracy_are_right_and_wrong() -> None:
    """An example counts 1 if its class was predicted; the mean is the accuracy."""
    examples = Examples(
        task="sequence-classification",
        labels=np.array([0, 1, 1]),
        predictions=np.array([0, 1, 0]),
        scores=None,
        label_names=("a", "b"),
    )
    assert outcomes(ACCURACY, examples).tolist() == [1, 1, 0]
    assert ACCURACY.value(examples) == 2 / 3


def test_pseudovalues_have_the_metric_as_their_mean() -> None:
    """Of a metric that is no mean over examples, those of a mean would be the examples' own numbers."""
    mean = Metric(
        name="mean", label="mean", tasks=("regression",), value=lambda examples: float(examples.labels.mean())
    )
    examples = Examples(
        task="regression",
        labels=np.array([0.5, 1.0, 4.5]),
        predictions=np.zeros(3),
        scores=None,
        label_names=("score",),
    )
    assert outcomes(mean, examples) == pytest.approx([0.5, 1.0, 4.5])
