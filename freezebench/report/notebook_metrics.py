"""The metrics of one run that the notebook showed, by the names on axes and in tables."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.records.run_record import Evaluation, RunRecord

    Metric = Callable[[RunRecord], float | None]


def _validation(record: RunRecord) -> Evaluation | None:
    """Return the validation of the best epoch, whose weights were tested."""
    return next((epoch.validation for epoch in record.epochs if epoch.epoch == record.best_epoch), None)


def _of_validation(name: str, factor: float = 1.0) -> Metric:
    def read(record: RunRecord) -> float | None:
        validation = _validation(record)
        return None if validation is None else factor * float(getattr(validation, name))

    return read


def _of_test(name: str) -> Metric:
    return lambda record: None if record.test is None else 100 * float(getattr(record.test, name))


def _train_loss(record: RunRecord) -> float | None:
    finite = [loss for loss in record.step_losses if math.isfinite(loss)]
    return statistics.fmean(finite) if finite else None


def _millions(record: RunRecord) -> float | None:
    return None if record.num_trainable_params is None else record.num_trainable_params / 1e6


METRICS: dict[str, Metric] = {
    "test accuracy (%)": _of_test("accuracy"),
    "test F1 of class 1, or macro (%)": _of_test("f1"),
    "validation accuracy (%)": _of_validation("accuracy", 100),
    "validation F1 of class 1, or macro (%)": _of_validation("f1", 100),
    "validation loss (nats)": _of_validation("loss"),
    "training loss (nats)": _train_loss,
    "train time (s)": lambda record: record.value("train_s"),
    "trainable params (M)": _millions,
    "samples per second": lambda record: record.value("samples_per_s"),
    "steps per second": lambda record: record.value("steps_per_s"),
}


def values(records: Sequence[RunRecord], metric: Metric) -> list[float]:
    """Return a metric of every run that has it."""
    return [value for value in map(metric, (record for record in records if record.is_valid)) if value is not None]


def mean_of(records: Sequence[RunRecord], metric: Metric) -> float | None:
    """Return the mean of a metric over the runs that have it."""
    measured = values(records, metric)
    return statistics.fmean(measured) if measured else None
