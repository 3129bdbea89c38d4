"""Contradictions within a result: a verdict has to follow from its runs, its bounds and its limit.

The figures are computed here once more in the simplest way, apart from the code that judges. A result that contradicts
itself is invalid: a mistake in that code must not pass for a verdict.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from freezebench.scoring.metrics import ACCURACY, metric_named
from freezebench.specs.freeze import FreezeSpec
from freezebench.units import number_text
from freezebench.verdicts.metric_values import metric_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.noninferiority import Verdict

_ROUNDING = 1e-6


def contradiction(result: ConfigurationResult, *, limit_pp: float | None, num_seeds: int) -> str | None:
    """Return what in a configuration's result contradicts itself, as a sentence without a full stop, or ``None``.

    Args:
        result: The result.
        limit_pp: The limit that its test asserts; ``None``: none.
        num_seeds: Number of seeds that had to be judged.
    """
    return None if result.broken else next(_contradictions(result, limit_pp, num_seeds), None)


def _contradictions(result: ConfigurationResult, limit_pp: float | None, num_seeds: int) -> Iterator[str]:
    """Yield every contradiction; later ones rest on what earlier ones have excluded."""
    yield from _of_runs(result.freeze, result.records, num_seeds)
    if result.is_baseline:
        return
    yield from _of_runs("none", result.baseline, num_seeds)
    num_params = result.records[0].num_trainable_params
    if _trains_less(result.freeze) and num_params is not None and num_params == result.baseline[0].num_trainable_params:
        yield f"{result.freeze} trained {num_params:,} parameters, as many as no freezing"
    if result.verdict is None:
        yield f"{result.freeze} has no verdict"
        return
    judged_pp = None if result.gate is None else result.gate.margin_pp
    if judged_pp != limit_pp:
        yield f"the limit of {result.freeze} is {_points(limit_pp)}, and it was judged by {_points(judged_pp)}"
    if result.class_loss is None:
        yield from _of_verdict(result.verdict)
    elif result.verdict.outcome != "inferior":
        yield f"{result.freeze} has lost a class ({result.class_loss}) and is called {result.verdict.outcome}"
    if result.gate is not None:
        yield from _of_verdict(result.gate)
    yield from _of_drop(result, result.verdict)
    for subset in (*result.classes, *result.slices, *result.test_sets):
        if subset.verdict is not None:
            yield from (f"{subset.kind} {subset.name}: {wrong}" for wrong in _of_verdict(subset.verdict))


def _trains_less(freeze: str) -> bool:
    """Return whether a configuration trains fewer parameters than the baseline; a schedule, or rates, train as many."""
    spec = FreezeSpec.parse(freeze)
    return not spec.frozen_parts.is_none or any(strategy.kind == "parameters" for strategy in spec.strategies)


def _of_runs(freeze: str, records: Sequence[RunRecord], num_seeds: int) -> Iterator[str]:
    """Yield what is wrong with the runs of one arm."""
    if len({record.spec.seed for record in records}) != num_seeds or len(records) != num_seeds:
        yield f"{num_seeds} seeds of {freeze} had to be judged, not {len(records)}"
    for record in records:
        label = f"seed {record.spec.seed} of {freeze}"
        if record.spec.freeze != freeze:
            yield f"{label} is a run of {record.spec.freeze}"
        if not record.is_valid or record.test is None:
            yield f"{label} was judged although it is invalid: {record.reason}"
            continue
        share = _share_right(record)
        if share is not None and (record.test.accuracy is None or abs(share - record.test.accuracy) > _ROUNDING):
            accuracy = number_text(record.test.accuracy, 4)
            yield f"{label} has the accuracy {accuracy}, and {share:.4f} of its predictions are right"


def _share_right(record: RunRecord) -> float | None:
    """Return the share of the predictions that are right; ``None`` for tasks that do not predict one class each."""
    if record.data is None or record.data.task not in ("sequence-classification", "token-classification"):
        return None
    return statistics.fmean(record.test_correct)


def _of_verdict(verdict: Verdict) -> Iterator[str]:
    """Yield what is wrong with a verdict's bounds, or with what it concludes from them."""
    drop, lower, upper, margin = verdict.drop_pp, verdict.lower_pp, verdict.upper_pp, verdict.margin_pp
    if drop is None or lower is None or upper is None:
        return
    if not lower <= drop <= upper:
        yield f"the drop {drop:.2f} is not between its bounds {lower:.2f} and {upper:.2f}"
    follows = {"non_inferior": upper < margin, "inferior": lower > margin}
    if not follows.get(verdict.outcome, True):
        yield (
            f"{verdict.outcome} at {margin:g} {verdict.unit} does not follow from the bounds {lower:.2f} to {upper:.2f}"
        )
    if verdict.too_few is not None and verdict.outcome != "inconclusive":
        yield f"{verdict.outcome} does not follow from too few examples ({verdict.too_few})"


def _of_drop(result: ConfigurationResult, verdict: Verdict) -> Iterator[str]:
    """Yield what is wrong with the drop, which is the difference of the means of the metric over the seeds.

    The verdict is computed from the outcomes of single examples; here the metric is computed of each run as a whole.
    """
    metric = metric_named(result.metric)
    before, after = (
        statistics.fmean(value for record in records if (value := metric_value(record, metric)) is not None)
        for records in (result.baseline, result.records)
    )
    drop = metric.scale * (before - after if metric.higher_is_better else after - before)
    if verdict.drop_pp is None or abs(verdict.drop_pp - drop) <= _ROUNDING * max(1.0, abs(drop)):
        return
    given = f"the drop is given as {verdict.drop_pp:.2f} {verdict.unit}"
    if metric.name == ACCURACY.name:
        yield f"{given}; no freezing has an accuracy of {100 * before:.2f} %, {result.freeze} {100 * after:.2f} %"
    else:
        yield f"{given}; {metric.label} without freezing is {before:.4f}, and that of {result.freeze} is {after:.4f}"


def _points(limit_pp: float | None) -> str:
    return "none" if limit_pp is None else f"{limit_pp:g} points"
