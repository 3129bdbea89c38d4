"""Verdicts on parts of the evidence: classes and slices of the test set, and further test sets.

A grid of many slices has some that look bad by chance. So the intervals of one kind share the error rate, by the method
of Holm: the subset whose drop is most clearly on one side of the limit has an interval at ``alpha / m``, for ``m``
subsets, the next one at ``alpha / (m - 1)``, and so on, up to the first one that is not decided. All others have the
level of that one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from freezebench.units import listed, with_unit
from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.gate import Part, accuracy_standing, worst
from freezebench.verdicts.noninferiority import Verdict, bound_text, decide, fewest_decimals
from freezebench.verdicts.superiority import holm_levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.verdicts.gate import Standing
    from freezebench.verdicts.mean_squares import MeanSquares

SubsetKind = Literal["class", "slice", "test set"]

# A t interval of fewer has no meaning, and one that is wide enough would decide nothing.
MIN_EXAMPLES = 10
_MOST_NAMED = 8  # as many as have a line each under the table


@dataclass(frozen=True, kw_only=True)
class SubsetVerdict:
    """What the runs show of one class, one slice or one further test set.

    Attributes:
        name: Its name.
        kind: What it is.
        num_examples: Number of its examples.
        baseline: The metric of the unfrozen runs on it, mean over seeds, in the metric's own scale; of a class its
            recall. ``None``: it has no value.
        candidate: The same of the configuration.
        verdict: Drop, bounds and verdict at the margin; ``None``: there is no interval, see ``reason``.
        reason: Why there is no interval; empty if there is one.
    """

    name: str
    kind: SubsetKind
    num_examples: int
    baseline: float | None
    candidate: float | None
    verdict: Verdict | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SubsetEvidence:
    """What a verdict on a subset rests on.

    Attributes:
        name: Name of the subset.
        kind: What it is.
        num_examples: Number of its examples.
        baseline: The metric of the unfrozen runs on it, mean over seeds; ``None``: it has no value.
        candidate: The same of the configuration.
        squares: Mean squares of the drops; ``None``: there is no interval.
        too_few: Which examples are too few; ``None``: none are.
    """

    name: str
    kind: SubsetKind
    num_examples: int
    baseline: float | None
    candidate: float | None
    squares: MeanSquares | None
    too_few: str | None = None


def too_few_units(num_examples: int, groups: NDArray[np.int64] | None) -> str | None:
    """Return that a subset has too few examples for an interval, as a clause; ``None`` if it has enough.

    Args:
        num_examples: Number of its examples.
        groups: The unit of the interval that each belongs to; ``None``: each is a unit by itself.
    """
    num_units = num_examples if groups is None else len(np.unique(groups))
    if num_units >= MIN_EXAMPLES:
        return None
    distinct = "" if num_units == num_examples else " texts or groups"
    return f"{num_units}{distinct}, and an interval needs {MIN_EXAMPLES}"


def judge_subsets(
    evidence: Sequence[SubsetEvidence], *, margin_pp: float, reference_pp: float, alpha: float, unit: str
) -> tuple[SubsetVerdict, ...]:
    """Return the verdicts on subsets of one kind, which share the error rate.

    Args:
        evidence: What the verdicts rest on.
        margin_pp: Margin of the verdicts.
        reference_pp: The drop that intervals are to exclude, by which the error rate is shared.
        alpha: One-sided error rate of all of them together.
        unit: What drops count, as sentences name it.
    """
    levels = holm_levels([_p_value(item.squares, reference_pp, alpha) for item in evidence], alpha)
    return tuple(
        _judged(item, margin_pp=margin_pp, alpha=level, unit=unit) for item, level in zip(evidence, levels, strict=True)
    )


def limit_part(quantity: str, subsets: Sequence[SubsetVerdict], limit_pp: float, unit: str) -> Part:
    """Return the part of the joint gate for a limit on the drop of every subset.

    It is worse where some drop is shown to be past the limit, ok where all are shown to be below it, and else
    undecided. The sentence names the subsets of the standing; of many, those with the largest drops.

    Args:
        quantity: What the subsets are together: ``slices`` or ``test sets``.
        subsets: The verdicts.
        limit_pp: The limit.
        unit: What it counts, as sentences name it.
    """
    standings = {subset.name: _standing(subset, limit_pp) for subset in subsets}
    standing = worst(standings.values())
    own = [subset for subset in subsets if standings[subset.name] == standing]
    if len(own) > _MOST_NAMED:
        own.sort(key=_shown_drop, reverse=True)
    shown = listed([_drop_text(subset, limit_pp) for subset in own], _MOST_NAMED)
    outcomes = {"ok": "all non-inferior", "undecided": "inconclusive", "worse": "inferior"}
    allowed = f"{quantity}: a drop of at most {with_unit(limit_pp, unit)} is allowed"
    return Part(quantity=quantity, standing=standing, sentence=f"{allowed}; {outcomes[standing]}: {shown}")


def _shown_drop(subset: SubsetVerdict) -> float:
    """Return the drop on a subset, for an order; minus infinity where it has no interval."""
    drop = None if subset.verdict is None else subset.verdict.drop_pp
    return -math.inf if drop is None else drop


def _judged(item: SubsetEvidence, *, margin_pp: float, alpha: float, unit: str) -> SubsetVerdict:
    """Return the verdict on one subset at its own error rate."""
    verdict, reason = None, ""
    if item.squares is None:
        reason = f"too few examples: {item.too_few}"
    else:
        interval = interval_from_mean_squares(item.squares, alpha=alpha)
        verdict = decide(interval, margin_pp, unit=unit, too_few=item.too_few)
        if verdict.outcome == "invalid":
            verdict, reason = None, "the metric has no value here"
    return SubsetVerdict(
        name=item.name,
        kind=item.kind,
        num_examples=item.num_examples,
        baseline=item.baseline,
        candidate=item.candidate,
        verdict=verdict,
        reason=reason,
    )


def _p_value(squares: MeanSquares | None, reference_pp: float, alpha: float) -> float:
    """Return the one-sided p-value of a drop on the side of the reference on which it is; 1 without an interval."""
    from scipy.special import stdtr  # the start-up of freezebench does without it

    interval = None if squares is None else interval_from_mean_squares(squares, alpha=alpha)
    if interval is None or not interval.is_finite:
        return 1.0
    return float(stdtr(interval.df, -abs(interval.drop_pp - reference_pp) / interval.se_pp))


def _standing(subset: SubsetVerdict, limit_pp: float) -> Standing:
    """Return the standing of one subset at a limit; what has no interval is undecided."""
    return "undecided" if subset.verdict is None else accuracy_standing(subset.verdict.at_margin(limit_pp))


def _drop_text(subset: SubsetVerdict, limit_pp: float) -> str:
    """Return the name of a subset, its drop and bounds; or why it has none."""
    verdict = subset.verdict
    if verdict is None or verdict.too_few is not None:
        return f"{subset.name} ({subset.reason if verdict is None else verdict.reason})"
    if verdict.drop_pp is None or verdict.lower_pp is None or verdict.upper_pp is None:
        return subset.name
    figures = (verdict.drop_pp, verdict.lower_pp, verdict.upper_pp)
    drop, lower, upper = (bound_text(figure, limit_pp, fewest_decimals(verdict.unit)) for figure in figures)
    return f"{subset.name} {drop} ({lower} to {upper})"
