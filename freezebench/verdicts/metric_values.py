"""Values of a metric of finished runs, and the outcomes of their test examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freezebench.records.evaluated import examples_of
from freezebench.scoring.outcomes import outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric


def metric_value(record: RunRecord, metric: Metric, test_set: str = "") -> float | None:
    """Return a metric of a run on a test set, in its own scale; ``None`` of an invalid run.

    Raises:
        RecordError: If the run has not recorded what the metric needs.
    """
    return metric.value(examples_of(record, test_set)) if record.is_valid else None


def outcomes_of(records: Sequence[RunRecord], metric: Metric, test_set: str = "") -> NDArray[np.float64]:
    """Return the outcome of every test example of valid runs, shape (seeds, examples), in the metric's own scale.

    Raises:
        RecordError: If a run has not recorded what the metric needs.
    """
    return np.stack([outcomes(metric, examples_of(record, test_set)) for record in records])
