"""A drop broken down: by class, by slice of the test set, and by test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.specs.limits import DEFAULT_MARGIN_PP
from freezebench.verdicts.class_losses import carrying_classes, class_evidence
from freezebench.verdicts.metric_subsets import further_evidence, slice_evidence
from freezebench.verdicts.subsets import judge_subsets, limit_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric
    from freezebench.verdicts.gate import Part
    from freezebench.verdicts.subsets import SubsetVerdict


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """The drop of one configuration, broken down.

    Attributes:
        classes: Drops in recall of every class, label or type of entities; empty in regression.
        slices: Drops of the metric on every slice of the test set.
        test_sets: Drops of the metric on every further test set.
        limits: The parts of the joint gate for limits on slices and on test sets.
        carrying: Which classes lose more than the others, as a sentence; ``None``: none does.
    """

    classes: tuple[SubsetVerdict, ...]
    slices: tuple[SubsetVerdict, ...]
    test_sets: tuple[SubsetVerdict, ...]
    limits: tuple[Part, ...]
    carrying: str | None


def broken_down(
    baseline: Sequence[RunRecord],
    records: Sequence[RunRecord],
    metric: Metric,
    *,
    margin_pp: float,
    max_slice_drop: float | None,
    max_test_drop: float | None,
    alpha: float,
) -> Breakdown:
    """Return the drop of valid runs by class, slice and test set.

    The margin of classes is that of the metric if it is in points, for their recall is, and else the usual one.

    Args:
        baseline: The unfrozen runs.
        records: The candidate's runs, of the same seeds on the same test sentences.
        metric: The metric whose drop is judged.
        margin_pp: Decision margin.
        max_slice_drop: Asserted limit on the drop of every slice of the test set; ``None``: nothing is asserted.
        max_test_drop: Asserted limit on the drop on every further test set; ``None``: nothing is asserted.
        alpha: One-sided error rate of this look.
    """
    classes = judge_subsets(
        class_evidence(baseline, records),
        margin_pp=margin_pp if metric.unit == "points" else DEFAULT_MARGIN_PP,
        reference_pp=0.0,  # the question is which classes lose anything at all
        alpha=alpha,
        unit="points of recall",
    )
    slices, test_sets = (
        judge_subsets(
            evidence,
            margin_pp=margin_pp,
            reference_pp=margin_pp if limit is None else limit,
            alpha=alpha,
            unit=metric.drop_unit,
        )
        for evidence, limit in (
            (slice_evidence(baseline, records, metric), max_slice_drop),
            (further_evidence(baseline, records, metric), max_test_drop),
        )
    )
    limited = (("slices", slices, max_slice_drop), ("test sets", test_sets, max_test_drop))
    return Breakdown(
        classes=classes,
        slices=slices,
        test_sets=test_sets,
        limits=tuple(
            limit_part(quantity, subsets, limit, metric.drop_unit)
            for quantity, subsets, limit in limited
            if subsets and limit is not None
        ),
        carrying=carrying_classes(baseline, records, classes),
    )
