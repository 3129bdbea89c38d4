"""Values of a metric of finished runs, and the outcomes of their test examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freezebench.records.evaluated import examples_of, guessed_examples, outcomes_of_run, value_of_run
from freezebench.verdicts.mean_squares import mean_squares_of_arms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric
    from freezebench.verdicts.mean_squares import MeanSquares


def metric_value(record: RunRecord, metric: Metric, test_set: str = "") -> float | None:
    """Return a metric of a run on a test set, in its own scale; ``None`` of an invalid run.

    Raises:
        RecordError: If the run has not recorded what the metric needs.
    """
    return value_of_run(record, metric, test_set) if record.is_valid else None


def outcomes_of(records: Sequence[RunRecord], metric: Metric, test_set: str = "") -> NDArray[np.float64]:
    """Return the outcome of every test example of valid runs, shape (seeds, examples), in the metric's own scale.

    Raises:
        RecordError: If a run has not recorded what the metric needs.
    """
    return np.stack([outcomes_of_run(record, metric, test_set) for record in records])


def mean_squares_of_metric(
    baseline: NDArray[np.float64],
    candidate: NDArray[np.float64],
    groups: ArrayLike | None = None,
    *,
    metric: Metric,
) -> MeanSquares:
    """Return the mean squares of the drop of a metric, from the outcomes of both arms, each (seeds, examples)."""
    return mean_squares_of_arms(
        baseline,
        candidate,
        groups,
        scale=metric.scale,
        higher_is_better=metric.higher_is_better,
        is_share=metric.is_share,
    )


def too_few(records: Sequence[RunRecord], metric: Metric, test_set: str = "") -> str | None:
    """Return which examples of valid runs are too few for an interval of a metric, as a clause; ``None``: none are.

    Raises:
        RecordError: If a run has not recorded what the metric needs.
    """
    values = (value_of_run(record, metric, test_set) for record in records)
    return metric.too_few([examples_of(record, test_set) for record in records], values) if records else None


def too_few_labels(data: DataFacts, metric: Metric, test_set: str = "") -> str | None:
    """Return which examples of a test set are too few for an interval of a metric, whatever is trained, as a clause.

    ``None``: none are, or that depends on the runs.
    """
    return metric.too_few_labels(guessed_examples(data, data.of_test_set(test_set)))


def text_groups(records: Sequence[RunRecord], test_set: str = "") -> NDArray[np.int64] | None:
    """Return the unit of the interval that every test example belongs to: its text, or its group.

    ``None`` where each is a unit by itself, or no run says which texts repeat.
    """
    # All runs have the same test sentences, but those of an earlier version do not say which of them repeat.
    groups = (record.data.of_test_set(test_set).test_groups for record in records if record.data is not None)
    known = next((numbers for numbers in groups if numbers is not None), None)
    return None if known is None else np.array(known, dtype=np.int64)
