"""The metrics of one run that the notebook showed, by the names on axes and in tables."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.device_models import of_model
from freezebench.report.metric_text import axis_label, value_of
from freezebench.scoring.metrics import ACCURACY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.records.run_record import Evaluation, RunRecord
    from freezebench.scoring import metric as scoring
    from freezebench.specs.names import TaskName

    Read = Callable[[RunRecord], float | None]


@dataclass(frozen=True, kw_only=True)
class NotebookMetric:
    """A metric of one run.

    Attributes:
        read: Returns it; ``None`` where it was not measured.
        is_cost: Whether runs on another model of device than that of the table have no part in it.
    """

    read: Read
    is_cost: bool = False


def _validation(record: RunRecord) -> Evaluation | None:
    """Return the validation of the best epoch, whose weights were tested."""
    return next((epoch.validation for epoch in record.epochs if epoch.epoch == record.best_epoch), None)


def _of_validation(name: str, factor: float = 1.0) -> Read:
    def read(record: RunRecord) -> float | None:
        validation = _validation(record)
        value = None if validation is None else getattr(validation, name)
        return None if value is None else factor * float(value)

    return read


def _of_test(name: str) -> Read:
    return lambda record: None if (value := record.value(name)) is None else 100 * value


def _train_loss(record: RunRecord) -> float | None:
    finite = [loss for loss in record.step_losses if math.isfinite(loss)]
    return statistics.fmean(finite) if finite else None


def _millions(record: RunRecord) -> float | None:
    return None if record.num_trainable_params is None else record.num_trainable_params / 1e6


def cost(name: str) -> NotebookMetric:
    """Return the metric of a reading that depends on the device."""
    return NotebookMetric(read=lambda record: record.value(name), is_cost=True)


NOTEBOOK_METRICS: dict[str, NotebookMetric] = {
    "test accuracy (%)": NotebookMetric(read=_of_test("accuracy")),
    "test F1 of class 1, or macro (%)": NotebookMetric(read=_of_test("f1")),
    "validation accuracy (%)": NotebookMetric(read=_of_validation("accuracy", 100)),
    "validation F1 of class 1, or macro (%)": NotebookMetric(read=_of_validation("f1", 100)),
    "validation loss (nats)": NotebookMetric(read=_of_validation("loss")),
    "training loss (nats)": NotebookMetric(read=_train_loss),
    "train time (s)": cost("train_s"),
    "trainable params (M)": NotebookMetric(read=_millions),
    "samples per second": cost("samples_per_s"),
    "steps per second": cost("steps_per_s"),
}


def metrics_of(judged: scoring.Metric, task: TaskName) -> dict[str, NotebookMetric]:
    """Return the metrics to draw: those of the notebook and the one that was judged, where they do not have it."""
    if task == "sequence-classification":
        shown = NOTEBOOK_METRICS
    else:
        # Losses of regression are squared errors, and other tasks have no accuracy of sentences.
        names = {
            name: name.replace("nats", "squared error") if task == "regression" else name for name in NOTEBOOK_METRICS
        }
        shown = {
            names[name]: metric
            for name, metric in NOTEBOOK_METRICS.items()
            if "accuracy" not in name and "F1" not in name
        }
    if judged is ACCURACY and shown is NOTEBOOK_METRICS:
        return shown

    def read(record: RunRecord) -> float | None:
        value = value_of(record, judged)
        return None if value is None else judged.scale * value

    return {axis_label(judged): NotebookMetric(read=read), **shown}


def values(records: Sequence[RunRecord], metric: NotebookMetric, model: str | None) -> list[float]:
    """Return a metric of every valid run that has it; a cost of those on a model of device alone."""
    counted = of_model(records, model) if metric.is_cost else records
    return [value for value in (metric.read(record) for record in counted if record.is_valid) if value is not None]


def mean_of(records: Sequence[RunRecord], metric: NotebookMetric, model: str | None) -> float | None:
    """Return the mean of a metric over the runs that have it; see ``values``."""
    measured = values(records, metric, model)
    return statistics.fmean(measured) if measured else None
