"""Tests of the values of a metric of finished runs."""

from __future__ import annotations

import numpy as np

from freezebench.scoring.metrics import ACCURACY
from freezebench.verdicts.metric_values import metric_value, outcomes_of
from made_up import record


def test_accuracy_is_the_share_of_right_predictions() -> None:
    """It is the recorded one, and the outcomes are those of the sentences."""
    run = record()
    assert metric_value(run, ACCURACY) == run.value("accuracy")
    assert np.array_equal(outcomes_of([run, run], ACCURACY), np.array([run.test_correct] * 2, dtype=float))
