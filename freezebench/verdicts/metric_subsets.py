"""What a metric shows on slices of the test set and on further test sets."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from freezebench.errors import SettingsError
from freezebench.records.evaluated import computed_once, examples_of, guessed_examples, outcomes_of_run, value_of_run
from freezebench.records.run_record import data_of
from freezebench.scoring.confusion import undefined_is_silent
from freezebench.scoring.outcomes import outcomes
from freezebench.verdicts.metric_values import mean_squares_of_metric, text_groups
from freezebench.verdicts.subsets import SubsetEvidence, too_few_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Metric, Values
    from freezebench.verdicts.subsets import SubsetKind


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scored:
    """A metric of one run on a subset.

    Attributes:
        examples: The examples.
        value: The metric.
        outcomes: The outcome of every example, shape (examples,).
    """

    examples: Examples
    value: float
    outcomes: Values


def slice_evidence(baseline: Sequence[RunRecord], records: Sequence[RunRecord], metric: Metric) -> list[SubsetEvidence]:
    """Return what a metric shows on every slice of the test set that has examples, in the order of their names.

    Args:
        baseline: The unfrozen runs.
        records: The candidate's runs, of the same seeds on the same test sentences.
        metric: The metric whose drop is judged.
    """
    data = data_of(records)
    if data is None or data.test_slices is None:
        return []
    slices, groups = np.array(data.test_slices), text_groups([*records, *baseline])
    evidence = []
    for number, name in enumerate(data.slice_names):
        is_in = slices == number
        if is_in.any():
            arms = [[_on_slice(record, metric, number, is_in) for record in arm] for arm in (baseline, records)]
            own_groups = None if groups is None else groups[is_in]
            evidence.append(_evidence(name, "slice", arms, metric=metric, groups=own_groups))
    return evidence


def further_evidence(
    baseline: Sequence[RunRecord], records: Sequence[RunRecord], metric: Metric
) -> list[SubsetEvidence]:
    """Return what a metric shows on every further test set, in their order.

    The arguments are those of ``slice_evidence``.
    """
    data = data_of(records)
    evidence = []
    for name in [item.name for item in data.test_sets] if data is not None else []:
        arms = [[_on_test_set(record, metric, name) for record in arm] for arm in (baseline, records)]
        groups = text_groups([*records, *baseline], name)
        evidence.append(_evidence(name, "test set", arms, metric=metric, groups=groups))
    return evidence


def subsets_with_few_labels(data: DataFacts, metric: Metric) -> list[tuple[str, str]]:
    """Return the slices and further test sets that have no verdict on a metric, whatever is trained, each with why.

    Args:
        data: The data set.
        metric: The metric that judges it.
    """
    own = guessed_examples(data, data.of_test_set())
    slices = np.array(data.test_slices if data.test_slices is not None else (), dtype=np.int64)
    parts = {f"slice {name}": own.only(slices == number) for number, name in enumerate(data.slice_names)}
    parts |= {f"test set {item.name}": guessed_examples(data, item) for item in data.test_sets}
    found = {
        name: too_few_units(len(examples), examples.units) or metric.too_few_labels(examples)
        for name, examples in parts.items()
        if len(examples)
    }
    return [(name, why) for name, why in found.items() if why is not None]


def _evidence(
    name: str,
    kind: SubsetKind,
    arms: Sequence[Sequence[_Scored]],
    *,
    metric: Metric,
    groups: NDArray[np.int64] | None,
) -> SubsetEvidence:
    """Return what a metric shows on one subset, of the unfrozen runs and the candidate's."""
    unfrozen, own = (np.stack([scored.outcomes for scored in arm]) for arm in arms)
    few = too_few_units(own.shape[1], groups)
    squares = None
    if few is None:
        runs = [*arms[0], *arms[1]]
        few = metric.too_few([scored.examples for scored in runs], (scored.value for scored in runs))
        squares = mean_squares_of_metric(unfrozen, own, groups, metric=metric)
    return SubsetEvidence(
        name=name,
        kind=kind,
        num_examples=own.shape[1],
        baseline=_mean(arms[0]),
        candidate=_mean(arms[1]),
        squares=squares,
        too_few=few,
    )


def _mean(arm: Sequence[_Scored]) -> float | None:
    """Return the mean of the metric over runs; ``None`` where it has no value."""
    mean = statistics.fmean(scored.value for scored in arm)
    return mean if math.isfinite(mean) else None


def _on_test_set(record: RunRecord, metric: Metric, test_set: str) -> _Scored:
    """Return the metric of a run on a further test set."""
    return _Scored(
        examples=examples_of(record, test_set),
        value=value_of_run(record, metric, test_set),
        outcomes=outcomes_of_run(record, metric, test_set),
    )


def _scored(metric: Metric, examples: Examples) -> _Scored:
    """Return a metric of some examples; it has no value where a user's function fails, as with one class alone."""
    try:
        with undefined_is_silent():
            value = metric.value(examples)
            return _Scored(examples=examples, value=value, outcomes=outcomes(metric, examples, value))
    except SettingsError:
        return _Scored(examples=examples, value=math.nan, outcomes=np.full(len(examples), math.nan))


def _on_slice(record: RunRecord, metric: Metric, number: int, is_in: NDArray[np.bool_]) -> _Scored:
    """Return the metric of a run on a slice, which is computed once."""
    key = ("slice", metric.name, str(number))
    return computed_once(record, key, lambda: _scored(metric, examples_of(record).only(is_in)))
