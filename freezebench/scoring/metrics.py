"""The registry of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.scoring.confusion import ACCURACY, BALANCED_ACCURACY, F1, MACRO_F1, MCC, MICRO_F1, QUADRATIC_KAPPA
from freezebench.scoring.entities import ENTITY_F1, are_entity_tags
from freezebench.scoring.own_metric import check_own_metric, own_metric
from freezebench.scoring.probabilistic import AUROC, ECE, LOG_LOSS
from freezebench.scoring.regression import MAE, PEARSON, R2, RMSE, SPEARMAN
from freezebench.specs.fields import brief
from freezebench.units import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.scoring.metric import Metric
    from freezebench.specs.names import TaskName

__all__ = ["ACCURACY", "DEFAULT_METRICS", "METRICS", "metric_named", "metric_of"]

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        ACCURACY,
        BALANCED_ACCURACY,
        MACRO_F1,
        MICRO_F1,
        F1,
        MCC,
        QUADRATIC_KAPPA,
        AUROC,
        LOG_LOSS,
        ECE,
        ENTITY_F1,
        PEARSON,
        SPEARMAN,
        RMSE,
        MAE,
        R2,
    )
}

DEFAULT_METRICS: dict[TaskName, str] = {
    "sequence-classification": "accuracy",
    "multi-label": "macro-f1",
    "token-classification": "entity-f1",
    "regression": "pearson",
}


def metric_of(name: str | None, task: TaskName, label_names: Sequence[str] | None = None) -> Metric:
    """Return the metric that judges a task.

    Args:
        name: Its name; ``None``: the task's usual one.
        task: What is learned.
        label_names: Name of every class or label; ``None``: not known yet, so that they are not checked.

    Raises:
        SettingsError: If there is no such metric, or the task or these classes do not have it.
    """
    metric = metric_named(DEFAULT_METRICS[task] if name is None else name)
    if task not in metric.tasks:
        names = tuple(other.name for other in METRICS.values() if task in other.tasks)
        raise SettingsError(f"{task} has no metric {metric.name!r}. Choose from {', '.join(names)}.")
    if label_names is None:
        return metric
    if ":" in metric.name:
        check_own_metric(metric, task, label_names)
    if metric.num_classes not in {None, len(label_names)}:
        raise SettingsError(
            f"the metric {metric.name} is for {metric.num_classes} classes, and the data have {len(label_names)}. "
            "Give --freeze-metric=macro-f1."
        )
    if metric is ENTITY_F1 and not are_entity_tags(label_names):
        # Parts of speech are tags of words, too, and every word has one.
        if name is None:
            return ACCURACY
        raise SettingsError(
            f"the metric {metric.name} is for tags of entities, such as O, B-PER and I-PER, and the data have other "
            "ones. Give --freeze-metric=accuracy, the share of words that are right."
        )
    return metric


def metric_named(name: str) -> Metric:
    """Return a metric by its name, or that of a user by ``module:function``, which is imported.

    Raises:
        SettingsError: If there is none of this name.
    """
    if ":" in name:
        return own_metric(name)
    if name not in METRICS:
        raise SettingsError(f"there is no metric {brief(name)}.{did_you_mean(name, tuple(METRICS))}")
    return METRICS[name]
