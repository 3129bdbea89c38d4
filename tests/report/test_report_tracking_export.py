"""Logging: one experiment after the other, and what a tracker that fails costs."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import experiments
from freezebench.report.tracking.base import LoggedExperiment
from freezebench.report.tracking.export import log_experiments
from trackers import KeepingTracker

AGAIN = "Run: python -m freezebench log reports --to=mlflow"


def test_every_experiment_is_logged_with_the_files() -> None:
    """The sentence says how many runs went where."""
    tracker = KeepingTracker()
    experiment = experiments.experiment(num=1)
    files = {"report.md": Path("report.md")}
    outcomes = list(log_experiments([experiment, experiment], tracker, again=AGAIN, files=files))
    assert [outcome.sentence for outcome in outcomes] == [
        f"logged 4 runs of tiny on made-up to {tracker.destination}, number {number}" for number in (1, 2)
    ]
    assert not any(outcome.is_failure for outcome in outcomes)
    assert [content.files for content in tracker.experiments] == [files, files]


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (ConnectionError("https://me:pw@tracker.example refused"), "ConnectionError: https://tracker.example refused"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
    ],
)
def test_a_tracker_that_fails_is_not_tried_again(fault: Exception, cause: str) -> None:
    """The sentence has the cause without passwords, and says what to do."""
    tracker = KeepingTracker(fault)
    experiment = experiments.experiment(num=1)
    (outcome,) = log_experiments([experiment, experiment], tracker, again=AGAIN)
    assert outcome.is_failure
    sentence = f"tiny on made-up was not logged completely to {tracker.destination}: {cause}. {AGAIN}"
    assert outcome.sentence == sentence


def test_warnings_of_libraries_are_no_errors() -> None:
    """Under ``-W error`` they would end the logging."""

    class WarningTracker(KeepingTracker):
        def log(self, experiment: LoggedExperiment) -> str:
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            return super().log(experiment)

    (outcome,) = log_experiments([experiments.experiment(num=1)], WarningTracker(), again=AGAIN)
    assert not outcome.is_failure
