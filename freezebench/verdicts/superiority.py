"""Superiority of freezing over no freezing: a one-sided test, corrected over the grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.verdicts.crossed import check_alpha
from freezebench.verdicts.noninferiority import ONE_SEED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.verdicts.crossed import Interval


@dataclass(frozen=True, kw_only=True)
class Superiority:
    """Whether one configuration of a grid is better than the baseline.

    Attributes:
        better: Whether the adjusted p-value is at most ``alpha``.
        drop_pp: Baseline - candidate, percentage points; negative means better; ``None`` without an interval.
        p_value: One-sided p-value against "not better", unadjusted; 1 where nothing could be tested.
        adjusted_p_value: The same, Holm-adjusted over the whole grid.
        alpha: Error rate over the whole grid.
        reason: Why nothing could be tested, or ``None``.
    """

    better: bool
    drop_pp: float | None
    p_value: float
    adjusted_p_value: float
    alpha: float
    reason: str | None


def superiority(intervals: Mapping[str, Interval | None], *, alpha: float = 0.05) -> dict[str, Superiority]:
    """Return for every configuration of a grid whether it is better than the baseline, Holm-corrected.

    The p-value is ``P(T(df) <= D / SE)`` for the drop ``D = baseline - candidate``: small when the drop is far below
    zero. A configuration without interval (invalid) or with one seed gets p = 1 and stays in the count: leaving it out
    after the fact would make the others' correction too mild.

    Args:
        intervals: The interval of every configuration's drop (``Verdict.interval``), ``None`` where it is invalid.
        alpha: Probability of calling any configuration better although none is, between 0 and 0.5.

    Raises:
        SettingsError: If ``alpha`` is not between 0 and 0.5.
    """
    check_alpha(alpha)
    reasons = {name: _untestable(interval) for name, interval in intervals.items()}
    p_values = {
        name: 1.0 if interval is None or reasons[name] is not None else _p_value(interval)
        for name, interval in intervals.items()
    }
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return {
        name: Superiority(
            better=adjusted[name] <= alpha,
            drop_pp=None if interval is None else interval.drop_pp,
            p_value=p_values[name],
            adjusted_p_value=adjusted[name],
            alpha=alpha,
            reason=reasons[name],
        )
        for name, interval in intervals.items()
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values in the order given (Holm 1979, Scandinavian Journal of Statistics 6:65-70).

    With ``m`` p-values in increasing order the ``i``-th (from 0) is multiplied by ``m - i``, never below the one before
    it and never above 1; comparing each with alpha holds the family-wise error rate at alpha under any dependence.

    Raises:
        SettingsError: If a p-value is not between 0 and 1; NaN is not.
    """
    for p_value in p_values:
        if not 0 <= p_value <= 1:
            raise SettingsError(f"{p_value!r} is not a p-value: give a number from 0 to 1.")
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def holm_levels(p_values: Sequence[float], alpha: float) -> list[float]:
    """Return the error rate at which Holm's method tests each of several hypotheses, in the order given.

    With ``m`` p-values in increasing order the ``i``-th (from 0) is compared with ``alpha / (m - i)``, up to the first
    that is larger; all after it have the same error rate as that one. An interval at its level excludes what is tested
    if and only if the p-value adjusted by ``holm`` is at most ``alpha``.
    """
    levels = [alpha] * len(p_values)
    level, is_over = 0.0, False
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        level = level if is_over else alpha / (len(p_values) - rank)
        is_over = is_over or not p_values[index] <= level
        levels[index] = level
    return levels


def _untestable(interval: Interval | None) -> str | None:
    """Return why an interval cannot be tested, or ``None`` when it can."""
    if interval is None:
        return "no valid runs"
    if not interval.is_finite:
        return "the interval of the drop is not finite"
    return ONE_SEED if interval.num_seeds <= 1 else None


def _p_value(interval: Interval) -> float:
    """Return the one-sided p-value against a drop of zero or more."""
    from scipy.special import stdtr

    # T = D / SE is small when the candidate is better; its distribution under "no difference" gives the p-value.
    p_value = float(stdtr(interval.df, interval.drop_pp / interval.se_pp))
    return p_value if math.isfinite(p_value) else 1.0
