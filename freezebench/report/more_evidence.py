"""What would decide an undecided verdict, in words: numbers of seeds and test sentences, computed from its runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from freezebench.report.data_text import units_of_run
from freezebench.report.metric_text import in_unit, is_known, result_metric, unsigned_drop
from freezebench.units import counted
from freezebench.verdicts.judge import CLASSES, observed_mean_squares
from freezebench.verdicts.power import MAX_SEEDS, MAX_SENTENCES, deciding_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.verdicts.crossed import Interval
    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.noninferiority import Verdict
    from freezebench.verdicts.power import DecidingCounts

# The spread of a few seeds is a rough estimate, so that numbers of sentences derived from it are rounded.
_ROUNDING, _ROUNDING_OF_GROUPS = 100, 10
FURTHER_LOOK = (
    "Seeds that are added after a verdict was seen are one look more than planned, which raises its error rate. Plan "
    "the looks in advance (--freeze-num-seeds=3,5,8), or judge once more with other seeds (--freeze-seed=1000)."
)
ONE_SEED = "one seed cannot tell training noise from freezing: train at least 3 (--freeze-num-seeds=3)"


def more_evidence(result: ConfigurationResult, verdict: Verdict) -> str:
    """Return what would decide an undecided verdict at its margin, as a clause.

    Args:
        result: The configuration, whose observed drop and spread are taken to stay as they are.
        verdict: Its verdict at the margin or the limit.
    """
    interval = verdict.interval
    if verdict.too_few is not None or verdict.num_seeds == 1 or interval is None or not is_known(result_metric(result)):
        return _without_interval(verdict)
    counts = deciding_counts(observed_mean_squares(result), verdict.margin_pp, alpha=verdict.alpha)
    stays = f"if the drop stays at {unsigned_drop(interval.drop_pp, result_metric(result))}"
    units = units_of_run(result.records[0])
    if ways := ways_to_decide(counts, interval, units):
        return f"about {ways} would be enough, {stays}"
    if counts.num_seeds is not None or counts.num_sentences is not None:
        return "more seeds may be enough"  # the pooled variance is larger than its own, which would have decided
    if counts.both_suffice:
        return f"both more seeds and more {units} are needed, {stays}"
    return f"{too_close(interval, result, verdict.margin_pp)}: freeze less, or choose another limit"


def ignores_sentences(result: ConfigurationResult) -> bool:
    """Return whether a run predicts the same throughout, so that its test fails and no evidence would change that."""
    return any(part.quantity == CLASSES for part in result.parts)


def _without_interval(verdict: Verdict) -> str:
    """Return what is missing where the interval must not decide, or there is none."""
    if verdict.too_few is not None:
        return f"too few examples ({verdict.too_few}): use a test set that has more of them"
    return ONE_SEED if verdict.num_seeds == 1 else "more seeds may be enough"


def too_close(interval: Interval, result: ConfigurationResult, margin_pp: float) -> str:
    """Return that no design would decide a drop, as a clause."""
    metric = result_metric(result)
    drop, units = unsigned_drop(interval.drop_pp, metric), units_of_run(result.records[0])
    return (
        f"the drop, {drop}, is too close to {in_unit(margin_pp, metric)} for any number of seeds and {units} to decide"
    )


def largest_design(units: str = "test sentences") -> str:
    """Return the largest design that is tried where neither more seeds nor more sentences alone would do."""
    return f"{MAX_SEEDS} seeds with {MAX_SENTENCES:,} {units}"


def ways_to_decide(counts: DecidingCounts, interval: Interval, units: str = "test sentences") -> str:
    """Return how much more it takes, ``3 more seeds (--freeze-num-seeds=8) or 400 more test sentences``; may be empty.

    Args:
        counts: The numbers that decide.
        interval: The interval so far, with its numbers of seeds and of distinct sentences or groups.
        units: What the interval counts.
    """
    ways, num_seeds, num_sentences = [], interval.num_seeds, interval.num_sentences
    rounding = _ROUNDING if units == "test sentences" else _ROUNDING_OF_GROUPS
    # A pooled variance gives another interval than the configuration's own, which could need nothing more.
    if counts.num_seeds is not None and counts.num_seeds > num_seeds:
        more = counted(counts.num_seeds - num_seeds, "more seed")
        ways.append(f"{more} (--freeze-num-seeds={counts.num_seeds})")
    if counts.num_sentences is not None and counts.num_sentences > num_sentences:
        number = math.ceil((counts.num_sentences - num_sentences) / rounding) * rounding
        ways.append(f"{number:,} more {units}")
    return " or ".join(ways)


def undecided_sentences(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return what would decide every undecided verdict, at the margin and at limits; one sentence for each answer.

    Where that is more seeds, a last sentence says how to add them without a larger error rate.
    """
    names: dict[str, list[str]] = {}
    for result in results:
        verdicts = {verdict.margin_pp: verdict for verdict in (result.verdict, result.gate) if verdict is not None}
        for margin_pp, verdict in verdicts.items():
            if verdict.outcome == "inconclusive" and not ignores_sentences(result):
                name = f"{result.freeze} at {in_unit(margin_pp, result_metric(result))}"
                names.setdefault(more_evidence(result, verdict), []).append(name)
    sentences = [f"Inconclusive: {', '.join(undecided)}: {clause}." for clause, undecided in names.items()]
    return [*sentences, *([FURTHER_LOOK] if any(" more seed" in sentence for sentence in sentences) else [])]
