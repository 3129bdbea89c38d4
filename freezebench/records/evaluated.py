"""The evaluated examples of a record, as metrics take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from freezebench.errors import RecordError
from freezebench.records.scores import unpack_scores
from freezebench.scoring.examples import Examples
from freezebench.scoring.outcomes import outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

    from freezebench.records.data_facts import DataFacts, SetFacts
    from freezebench.records.run_record import Evaluation, RunRecord
    from freezebench.scoring.metric import Metric, Values

_Value = TypeVar("_Value")


def computed_once(record: RunRecord, key: tuple[Hashable, ...], compute: Callable[[], _Value]) -> _Value:
    """Return what a function computes from a record: its first call under a key is the only one.

    Args:
        record: The record, which keeps the value and does not save it.
        key: What the value is, and all that it depends on besides the record.
        compute: Computes the value.
    """
    if key not in record.computed:
        record.computed[key] = compute()
    value: _Value = record.computed[key]
    return value


def examples_of(record: RunRecord, test_set: str = "") -> Examples:
    """Return labels and outputs of a completed run on a test set; the empty name is that of the data set's own one.

    They are unpacked once.

    Raises:
        RecordError: If the run was not evaluated on it.
        UnknownNameError: If there is no test set of this name.
    """
    return computed_once(record, ("examples", test_set), lambda: _unpacked(record, test_set))


def _unpacked(record: RunRecord, test_set: str) -> Examples:
    evaluation = record.tests.get(test_set) if test_set else record.test
    if record.data is None or evaluation is None:
        raise RecordError(
            f"seed {record.spec.seed} of {record.spec.freeze} was not evaluated on the test set "
            f"{test_set or 'test'!r}. Train it again with --freeze-resume=no."
        )
    return evaluated_examples(evaluation, record.data, record.data.of_test_set(test_set))


def value_of_run(record: RunRecord, metric: Metric, test_set: str = "") -> float:
    """Return a metric of a completed run on a test set, in its own scale, which is computed once.

    Raises:
        RecordError: If the run has not recorded what the metric needs.
    """
    key = ("value", metric.name, test_set)
    return float(computed_once(record, key, lambda: metric.value(examples_of(record, test_set))))


def outcomes_of_run(record: RunRecord, metric: Metric, test_set: str = "") -> Values:
    """Return the outcome of every test example of a completed run, which is computed once: a jackknife takes time.

    Raises:
        RecordError: If the run has not recorded what the metric needs.
    """

    def compute() -> Values:
        value = None if metric.is_mean else value_of_run(record, metric, test_set)
        return outcomes(metric, examples_of(record, test_set), value)

    return computed_once(record, ("outcomes", metric.name, test_set), compute)


def evaluated_examples(evaluation: Evaluation, data: DataFacts, facts: SetFacts) -> Examples:
    """Return labels and outputs of an evaluation on a test set.

    Raises:
        RecordError: If its scores do not fit the test set.
    """
    num_labels = len(data.label_names)
    num_rows = facts.num_rows
    scores = None if evaluation.scores is None else unpack_scores(evaluation.scores, num_rows, num_labels)
    if data.task == "regression":
        if scores is None or facts.test_values is None:
            raise RecordError("a run of regression has no scores or values. Train it again with --freeze-resume=no.")
        return _examples(data, facts, scores[:, 0].astype(np.float64), scores)
    return _examples(data, facts, np.array(evaluation.predictions, dtype=np.int64), scores)


def guessed_examples(data: DataFacts, facts: SetFacts) -> Examples:
    """Return a test set with random scores, and the predictions that follow from them, before anything is trained."""
    shape = facts.num_rows, len(data.label_names)
    scores = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    predictions: NDArray[Any] = scores.argmax(axis=1)
    if data.task == "regression":
        predictions = scores[:, 0].astype(np.float64)
    elif data.task == "multi-label":
        predictions = (scores > 0).astype(np.int64)
    return _examples(data, facts, predictions, scores)


def _examples(
    data: DataFacts, facts: SetFacts, predictions: NDArray[Any], scores: NDArray[np.float32] | None
) -> Examples:
    """Return labels and outputs on a test set."""
    if facts.test_values is not None:
        labels: NDArray[Any] = np.array(facts.test_values, dtype=np.float64)
    else:
        shape = (facts.num_rows, len(data.label_names)) if data.task == "multi-label" else (facts.num_rows,)
        labels = np.array(facts.test_labels, dtype=np.int64).reshape(shape)
        predictions = predictions.reshape(shape)
    return Examples(
        task=data.task,
        labels=labels,
        predictions=predictions,
        scores=scores,
        label_names=data.label_names,
        lengths=None if facts.test_lengths is None else np.array(facts.test_lengths, dtype=np.int64),
        units=None if facts.test_groups is None else np.array(facts.test_groups, dtype=np.int64),
    )
