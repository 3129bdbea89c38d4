"""The runs of a configuration and the unfrozen ones, paired by their seeds: whether they can be compared, and how."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.freeze import FreezeSpec
from freezebench.verdicts.constant import constant_sentence
from freezebench.verdicts.metric_values import (
    mean_squares_of_metric,
    metric_value,
    outcomes_of,
    text_groups,
    too_few,
)
from freezebench.verdicts.pooling import pooled_seed_variance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric
    from freezebench.verdicts.mean_squares import MeanSquares
    from freezebench.verdicts.pooling import PooledSeedVariance


def pooled_over(
    arms: Mapping[str, Sequence[RunRecord]], baseline: Sequence[RunRecord], metric: Metric = ACCURACY
) -> PooledSeedVariance | None:
    """Return the variance between seeds pooled over the valid ones of several configurations.

    Args:
        arms: Runs of every configuration, in the order of their seeds; ``none`` among them is left out.
        baseline: The unfrozen runs, in the same order of seeds.
        metric: The metric whose drop is judged.

    Returns:
        The pooled variance; ``None`` if no configuration has two valid runs.
    """
    squares = {}
    for freeze, records in arms.items():
        # The baseline may have more seeds than a candidate that was decided at an earlier look.
        paired = list(zip(baseline, records, strict=False))
        is_valid = len(paired) > 1 and not broken_text([record for pair in paired for record in pair])
        if is_valid and not FreezeSpec.parse(freeze).is_none and not different_arms(*_unzipped(paired)):
            squares[freeze] = mean_squares_of_runs(*_unzipped(paired), metric)
    return pooled_seed_variance(squares) if squares else None


def mean_squares_of_runs(baseline: Sequence[RunRecord], records: Sequence[RunRecord], metric: Metric) -> MeanSquares:
    """Return the mean squares of the drops from the unfrozen runs, over the distinct test texts."""
    groups = text_groups([*records, *baseline])
    return mean_squares_of_metric(outcomes_of(baseline, metric), outcomes_of(records, metric), groups, metric=metric)


def _unzipped(pairs: Sequence[tuple[RunRecord, RunRecord]]) -> tuple[list[RunRecord], list[RunRecord]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def broken_text(records: Sequence[RunRecord]) -> str | None:
    """Return why some run is invalid; ``None`` if all are valid."""
    for record in records:
        if not record.is_valid:
            return f"seed {record.spec.seed}: {record.reason}"
    return None


def unrecorded_text(records: Sequence[RunRecord], metric: Metric) -> str | None:
    """Return why a metric cannot be computed of some valid run, or has no value on its test set; ``None`` if it has."""
    for record in records:
        further = () if record.data is None else record.data.test_sets
        try:
            value = metric_value(record, metric)
            for test_set in further:
                metric_value(record, metric, test_set.name)
            # Where examples are too few, the verdict says so.
            is_undefined = value is not None and not math.isfinite(value) and too_few([record], metric) is None
        except FreezebenchError as error:
            return f"seed {record.spec.seed}: {error}".rstrip(".")
        if is_undefined:
            return f"{constant_sentence([record]) or f'seed {record.spec.seed}'}: its {metric.label} is not defined"
    return None


def different_arms(records: Sequence[RunRecord], baseline: Sequence[RunRecord]) -> str | None:
    """Return how the arms differ in test sentences or seeds, which would make pairing impossible, or ``None``."""
    facts = [record.data for record in (*records, *baseline) if record.data is not None]
    hashes = {(data.test_sha256, *((item.name, item.test_sha256) for item in data.test_sets)) for data in facts}
    if len(hashes) != 1:
        return "its test sentences are not those of the unfrozen baseline"
    if [record.spec.seed for record in records] != [record.spec.seed for record in baseline]:
        return "its seeds are not those of the unfrozen baseline"
    return None
