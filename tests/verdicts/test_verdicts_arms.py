"""Tests of the runs of a configuration and the unfrozen ones, paired by their seeds."""

from __future__ import annotations

from dataclasses import replace

import made_up
from freezebench.errors import SettingsError
from freezebench.scoring.examples import Examples
from freezebench.scoring.metrics import ACCURACY
from freezebench.verdicts.arms import different_arms, mean_squares_of_runs, unrecorded_text
from freezebench.verdicts.mean_squares import mean_squares, outcome_differences


def test_squares_of_accuracy_are_those_of_right_and_wrong_outcomes() -> None:
    """Numbers 0 and 1 give the very figures that truth values give."""
    baseline, records = made_up.seeds("none", accuracy=0.9), made_up.seeds("emb", accuracy=0.87)
    correct = [[record.test_correct for record in arm] for arm in (baseline, records)]
    assert mean_squares_of_runs(baseline, records, ACCURACY) == mean_squares(outcome_differences(*correct))


def test_arms_of_other_seeds_cannot_be_paired() -> None:
    """Runs are compared seed by seed."""
    baseline, records = made_up.seeds("none"), made_up.seeds("emb")
    assert different_arms(records, baseline) is None
    assert different_arms(records[:2], baseline) == "its seeds are not those of the unfrozen baseline"


def test_a_metric_that_cannot_be_computed_is_said_once() -> None:
    """Of the first run that it fails for, without advice that ends a sentence twice."""

    def value(_: Examples) -> float:
        raise SettingsError("the metric m:f fails with ValueError. Correct the function.")

    metric = replace(ACCURACY, name="m:f", value=value)
    text = unrecorded_text(made_up.seeds("emb"), metric)
    assert text == "seed 42: the metric m:f fails with ValueError. Correct the function"
    assert unrecorded_text(made_up.seeds("emb"), ACCURACY) is None
