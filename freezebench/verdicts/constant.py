"""Constant predictions: what a model scores that has learned nothing, and runs that are constant themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from freezebench.errors import SettingsError
from freezebench.records.evaluated import computed_once, examples_of
from freezebench.scoring.confusion import undefined_is_silent
from freezebench.scoring.metrics import ACCURACY, METRICS
from freezebench.scoring.outcomes import outcomes
from freezebench.units import with_and
from freezebench.verdicts.classes import class_name, only_class
from freezebench.verdicts.mean_squares import POINTS, least_change
from freezebench.verdicts.metric_values import outcomes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Metric
    from freezebench.specs.names import TaskName
    from freezebench.verdicts.mean_squares import Floats

# Metrics that a model which has learned nothing may have better than a constant prediction: the F1 of guesses, and the
# calibration of frequencies, which is perfect. In their place stands one that is the same for all such models.
_SHOWS_LEARNING: dict[tuple[TaskName, str], str] = {
    ("sequence-classification", "ece"): "auroc",
    ("sequence-classification", "f1"): "mcc",
    ("sequence-classification", "macro-f1"): "mcc",
    ("multi-label", "macro-f1"): "auroc",
    ("multi-label", "micro-f1"): "auroc",
}
# In the place of a user's metric, which a constant prediction may have at its best, such as the recall of one class.
_OF_USERS: dict[TaskName, str] = {
    "sequence-classification": "mcc",
    "multi-label": "auroc",
    "token-classification": "accuracy",
    "regression": "pearson",
}
_CORRELATIONS = ("pearson", "spearman")
_ROUNDING = 1e-5
_NO_LABEL = "no label"


def shows_learning(metric: Metric, task: TaskName) -> Metric:
    """Return the metric that shows whether a model has learned anything: the given one, unless guesses can have it."""
    name = _OF_USERS[task] if is_of_user(metric) else _SHOWS_LEARNING.get((task, metric.name))
    return metric if name is None else METRICS[name]


def is_of_user(metric: Metric) -> bool:
    """Return whether a metric is a function of the user, of which nothing else is known."""
    return metric.name not in METRICS


def constant_prediction(examples: Examples) -> Examples:
    """Return the same examples as the best constant prediction has them.

    It returns the frequencies of the classes or labels as probabilities, and so predicts the most frequent class, of
    several the first one, or the labels that more than half of the sentences have; in regression it is the mean.
    """
    labels = examples.labels
    if examples.task == "regression":
        predictions = np.full(labels.shape, labels.mean())
        return replace(examples, predictions=predictions, scores=predictions[:, np.newaxis].astype(np.float32))
    if examples.task == "multi-label":
        share = np.clip(labels.mean(axis=0), 1e-6, 1 - 1e-6)
        scores = np.broadcast_to(np.log(share / (1 - share)), labels.shape)
        predictions = (scores > 0).astype(np.int64)
    else:
        counts = np.bincount(labels, minlength=len(examples.label_names))
        scores = np.broadcast_to(np.log(np.maximum(counts / len(labels), 1e-6)), (len(labels), len(counts)))
        predictions = np.full(labels.shape, counts.argmax())
    return replace(examples, predictions=predictions, scores=scores.astype(np.float32))


def above_constant(records: Sequence[RunRecord], metric: Metric) -> tuple[Floats, float] | None:
    """Return by how much outcomes of a metric are better than those of the best constant prediction.

    Returns:
        The differences, shape (seeds, examples), positive where the runs are better; and what one changed prediction
        changes an outcome by, at least. ``None`` where a constant prediction has no such metric.

    Raises:
        RecordError: If a run has not recorded what the metric needs.
    """
    first = records[0]
    constant = computed_once(
        first, ("constant", metric.name), lambda: _outcomes_of_constant(metric, constant_prediction(examples_of(first)))
    )
    if constant is None:
        return None
    own = outcomes_of(records, metric)
    differences = own - constant if metric.higher_is_better else constant - own
    return differences, least_change(np.vstack([own, constant]), is_bounded=metric.scale == POINTS)


def _outcomes_of_constant(metric: Metric, constant: Examples) -> Floats | None:
    """Return the outcome of every example of a constant prediction, shape (examples,); ``None``: it has no metric."""
    if metric.name in _CORRELATIONS:
        return np.zeros(len(constant))  # with a constant it is not defined, and counts as 0
    # A metric of a user may fail where there is only one class.
    try:
        with np.errstate(all="ignore"), undefined_is_silent():
            value = metric.value(constant)
            own = outcomes(metric, constant, value) if np.isfinite(value) else np.full(len(constant), np.nan)
    except SettingsError:
        return None
    if not np.isfinite(own).all():
        own = np.full(len(constant), value)
    return own if np.isfinite(value) else None


def constant_sentence(records: Sequence[RunRecord], metric: Metric = ACCURACY) -> str | None:
    """Return which runs predict the same for every test example, and what; ``None`` if none does.

    A metric of scores counts those: of rare classes no score may be high enough for a prediction, and rank the examples
    well all the same.

    Args:
        records: The runs.
        metric: The metric whose drop is judged.
    """
    constant = [(record, what) for record in records if (what := _constant_text(record, metric)) is not None]
    if not constant:
        return None
    seeds = [record.spec.seed for record, _ in constant]
    who = f"seed {seeds[0]} predicts" if len(seeds) == 1 else f"seeds {with_and(seeds)} predict"
    same = constant[0][1][0]
    if all(value == _NO_LABEL for _, (_, value) in constant):
        return f"{who} no label for any test sentence"
    return f"{who} {same} ({', '.join(dict.fromkeys(value for _, (_, value) in constant))})"


def is_constant(record: RunRecord, metric: Metric = ACCURACY) -> bool:
    """Return whether a run predicts the same for every test example, as ``constant_sentence`` has it."""
    return _constant_text(record, metric) is not None


def _constant_text(record: RunRecord, metric: Metric) -> tuple[str, str] | None:
    """Return what a run predicts alike for every test example, and which value; ``None`` if its predictions differ."""
    data = record.data
    if record.test is None or data is None or not record.is_valid:
        return None
    if metric.uses == "scores" and data.task != "regression":
        scores = examples_of(record).scores
        if scores is not None and np.ptp(scores, axis=0).max() > _ROUNDING * float(np.abs(scores).max()):
            return None
    if data.task not in ("multi-label", "regression"):
        label = only_class(record)
        of = "word of the test set" if data.task == "token-classification" else "test sentence"
        return None if label is None else (f"one class for every {of}", class_name(data, label))
    examples = examples_of(record)
    predictions = examples.predictions
    if data.task == "regression":
        # The last digits of a number depend on the sentences that are in its batch. Labels may be of any size.
        size = max(float(np.ptp(examples.labels)), float(np.abs(predictions).max()))
        is_same = np.ptp(predictions) <= _ROUNDING * size
        return ("one number for every test sentence", f"{predictions[0]:.4g}") if is_same else None
    if (predictions != predictions[0]).any():
        return None
    names = [name for name, has in zip(data.label_names, predictions[0], strict=True) if has]
    return "the same labels for every test sentence", with_and(names) if names else _NO_LABEL
