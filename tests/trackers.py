"""A tracker that keeps what it gets, for tests of what is logged and when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from freezebench.report.tracking import registry
from freezebench.report.tracking.base import LoggedExperiment


class KeepingTracker:
    """Keeps the experiments that are logged, or fails with an error."""

    name = "mlflow"
    destination = "a list: https://tracker.example, experiment x"

    def __init__(self, fault: BaseException | None = None) -> None:
        """Take the error with which logging fails; ``None``: it does not."""
        self.experiments: list[LoggedExperiment] = []
        self.fault = fault

    def log(self, experiment: LoggedExperiment) -> str:
        """Keep an experiment, and return its number.

        Raises:
            BaseException: The given one.
        """
        if self.fault is not None:
            raise self.fault
        self.experiments.append(experiment)
        return f"number {len(self.experiments)}"


def install(monkeypatch: pytest.MonkeyPatch, fault: BaseException | None = None) -> KeepingTracker:
    """Return a tracker that stands in place of MLflow from now on."""
    tracker = KeepingTracker(fault)
    monkeypatch.setattr(registry, "is_installed", lambda _: True)
    makers: dict[str, Callable[[], KeepingTracker]] = {"mlflow": lambda: tracker}
    monkeypatch.setattr(registry, "TRACKERS", makers)
    return tracker
