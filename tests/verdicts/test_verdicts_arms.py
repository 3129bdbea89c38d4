"""Tests of the runs of a configuration and the unfrozen ones, paired by their seeds."""

from __future__ import annotations

import made_up
from freezebench.scoring.metrics import ACCURACY
from freezebench.verdicts.arms import different_arms, mean_squares_of_runs
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
