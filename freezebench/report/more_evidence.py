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
    if not _has_spread(result, verdict):
        return _without_interval(verdict)
    return _deciding_clause(result, verdict, "it", alpha=verdict.alpha) or "more seeds may be enough"


def evidence_to_recommend(result: ConfigurationResult, verdict: Verdict, num_sequences: int) -> str | None:
    """Return what would show that a configuration is non-inferior among all, so that it is recommended, as a sentence.

    Args:
        result: The configuration.
        verdict: Its verdict at the margin.
        num_sequences: Number of sequences; as long as nothing is shown, each has an equal part of the error rate.

    Returns:
        The sentence, with the numbers of ``more_evidence``, or why they are others; ``None``: nothing more is needed,
        or that cannot be computed.
    """
    if not _has_spread(result, verdict):
        return None
    clause, alone = (
        _deciding_clause(result, verdict, result.freeze, alpha=alpha)
        for alpha in (verdict.alpha / num_sequences, verdict.alpha)
    )
    if clause is None:
        return None
    shared = f"; its own verdict needs less, but {num_sequences} sequences share the error rate"
    return f"{clause[0].upper()}{clause[1:]}{'' if clause == alone else shared}."


def _has_spread(result: ConfigurationResult, verdict: Verdict) -> bool:
    """Return whether what decides a verdict can be computed from the spread of its runs."""
    is_judged = verdict.too_few is None and verdict.interval is not None and verdict.num_seeds != 1
    return is_judged and is_known(result_metric(result))


def _deciding_clause(result: ConfigurationResult, verdict: Verdict, name: str, *, alpha: float) -> str | None:
    """Return which numbers of seeds or sentences would show which verdict, if drop and spread stay; or that none would.

    Args:
        result: The configuration.
        verdict: Its verdict, with an interval.
        name: What the clause calls it.
        alpha: Error rate of the bound that decides.

    Returns:
        The clause; ``None``: the pooled variance, which is not the configuration's own, needs nothing more.
    """
    interval, metric, units = verdict.interval, result_metric(result), units_of_run(result.records[0])
    if interval is None:
        return None
    drop = unsigned_drop(interval.drop_pp, metric)
    counts = deciding_counts(observed_mean_squares(result), verdict.margin_pp, alpha=alpha)
    outcome = "non-inferior" if interval.drop_pp < verdict.margin_pp else "inferior"
    shown = f"show that {name} is {outcome}, if its drop stays at {drop}"
    if ways := _ways_to_decide(counts, interval, units):
        return f"about {ways} would {shown}"
    if counts.num_seeds is not None or counts.num_sentences is not None:
        return None
    if counts.both_suffice:
        return f"both more seeds and more {units} are needed to {shown}"
    return (
        f"the drop, {drop}, is too close to {in_unit(verdict.margin_pp, metric)} for any number of seeds "
        f"and {units} to decide: change the training, freeze less, or choose another limit or margin"
    )


def ignores_sentences(result: ConfigurationResult) -> bool:
    """Return whether a run predicts the same throughout, so that its test fails and no evidence would change that."""
    return any(part.quantity == CLASSES for part in result.parts)


def _without_interval(verdict: Verdict) -> str:
    """Return what is missing where the interval must not decide, or there is none."""
    if verdict.too_few is not None:
        return f"too few examples ({verdict.too_few}): use a test set that has more of them"
    return ONE_SEED if verdict.num_seeds == 1 else "more seeds may be enough"


def largest_design(units: str = "test sentences") -> str:
    """Return the largest design that is tried where neither more seeds nor more sentences alone would do."""
    return f"{MAX_SEEDS} seeds with {MAX_SENTENCES:,} {units}"


def _ways_to_decide(counts: DecidingCounts, interval: Interval, units: str = "test sentences") -> str:
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
