"""The registry of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.scoring.metric import Metric
from freezebench.specs.fields import brief
from freezebench.units import did_you_mean

if TYPE_CHECKING:
    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Values
    from freezebench.specs.names import TaskName


def _correct(examples: Examples) -> Values:
    """Return 1 for every example that was classified correctly and 0 for others."""
    correct: Values = (examples.labels == examples.predictions).astype(float)
    return correct


ACCURACY = Metric(
    name="accuracy",
    label="accuracy",
    tasks=("sequence-classification",),
    value=lambda examples: float(_correct(examples).mean()),
    contributions=_correct,
    source="sklearn.metrics.accuracy_score",
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in (ACCURACY,)}

DEFAULT_METRICS: dict[TaskName, str] = {
    "sequence-classification": "accuracy",
    "multi-label": "macro-f1",
    "token-classification": "entity-f1",
    "regression": "pearson",
}


def metric_of(name: str | None, task: TaskName) -> Metric:
    """Return the metric that judges a task.

    Args:
        name: Its name; ``None``: the task's usual one.
        task: What is learned.

    Raises:
        SettingsError: If there is no such metric, or the task does not have it.
    """
    metric = metric_named(DEFAULT_METRICS[task] if name is None else name)
    if task not in metric.tasks:
        names = tuple(other.name for other in METRICS.values() if task in other.tasks)
        raise SettingsError(f"{task} has no metric {metric.name!r}. Choose from {', '.join(names)}.")
    return metric


def metric_named(name: str) -> Metric:
    """Return a metric by its name.

    Raises:
        SettingsError: If there is none of this name.
    """
    if name not in METRICS:
        raise SettingsError(f"there is no metric {brief(name)}.{did_you_mean(name, tuple(METRICS))}")
    return METRICS[name]
