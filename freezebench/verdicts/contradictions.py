"""Contradictions within a result: a verdict has to follow from its runs, its bounds and its limit.

The figures are computed here once more in the simplest way, apart from the code that judges. A result that contradicts
itself is invalid: a mistake in that code must not pass for a verdict.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from freezebench.specs.freeze import FreezeSpec
from freezebench.units import number_text

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
        share = statistics.fmean(record.test_correct)
        if record.test.accuracy is None or abs(share - record.test.accuracy) > _ROUNDING:
            accuracy = number_text(record.test.accuracy, 4)
            yield f"{label} has the accuracy {accuracy}, and {share:.4f} of its predictions are right"


def _of_verdict(verdict: Verdict) -> Iterator[str]:
    """Yield what is wrong with a verdict's bounds, or with what it concludes from them."""
    drop, lower, upper, margin = verdict.drop_pp, verdict.lower_pp, verdict.upper_pp, verdict.margin_pp
    if drop is None or lower is None or upper is None:
        return
    if not lower <= drop <= upper:
        yield f"the drop {drop:.2f} is not between its bounds {lower:.2f} and {upper:.2f}"
    follows = {"non_inferior": upper < margin, "inferior": lower > margin}
    if not follows.get(verdict.outcome, True):
        yield f"{verdict.outcome} at {margin:g} points does not follow from the bounds {lower:.2f} to {upper:.2f}"


def _of_drop(result: ConfigurationResult, verdict: Verdict) -> Iterator[str]:
    """Yield what is wrong with the drop, which is the difference of the mean accuracies."""
    before, after = (
        100 * statistics.fmean(record.value("accuracy") or 0.0 for record in records)
        for records in (result.baseline, result.records)
    )
    if verdict.drop_pp is not None and abs(verdict.drop_pp - (before - after)) > _ROUNDING:
        yield (
            f"the drop is given as {verdict.drop_pp:.2f} points; no freezing has an accuracy of {before:.2f} %, "
            f"{result.freeze} {after:.2f} %"
        )


def _points(limit_pp: float | None) -> str:
    return "none" if limit_pp is None else f"{limit_pp:g} points"
