"""Limits on time, energy and memory: medians, rank tests, and an A/A check of the machine's noise."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from freezebench.errors import FreezebenchError, SettingsError
from freezebench.verdicts.crossed import check_alpha

if TYPE_CHECKING:
    from collections.abc import Sequence

ResourceOutcome = Literal["within_limit", "past_limit", "inconclusive", "invalid"]

MIN_RUNS = 5
DEFAULT_MEMORY_LIMIT = 1.01


class ResourceFiguresError(FreezebenchError, ValueError):
    """Figures of time, energy or memory that give no ratio: missing, zero, negative or not finite."""


@dataclass(frozen=True, kw_only=True)
class ResourceVerdict:
    """The verdict of the runs of two arms on one limit of a resource.

    Attributes:
        outcome: ``within_limit``, ``past_limit`` (proven), ``inconclusive``, or ``invalid`` (the machine is too noisy).
        quantity: What was compared, such as ``train_s``.
        ratio: Median of the candidate / median of the baseline; above 1 the candidate costs more; ``None``: no runs.
        limit: Largest allowed ratio; a required speed-up of 1.5 is a limit of 1 / 1.5.
        p_value: One-sided p-value against "at most the limit"; ``None`` where no test was made.
        alpha: Error rate of the test; ``None`` where the quantity has a plain tolerance.
        reason: Observation and limit; never empty.
    """

    outcome: ResourceOutcome
    quantity: str
    ratio: float | None
    limit: float
    p_value: float | None
    alpha: float | None
    reason: str


def compare_runs(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    quantity: str,
    limit: float,
    alpha: float = 0.05,
    paired: bool = False,
    same_arm: tuple[Sequence[float], Sequence[float]] | None = None,
) -> ResourceVerdict:
    """Return whether the candidate's time or energy is past ``limit`` times the baseline's.

    ``past_limit`` needs both a ratio of medians past the limit and a one-sided test with p <= alpha. The test is
    against ``limit`` times the baseline, not against the baseline: at a true ratio equal to the limit a rerun then
    fails at most at the rate alpha, and a required speed-up (a limit below 1) can be missed at all. Against saved runs
    the test is Mann & Whitney's (1947); for runs interleaved in one session (``interleaved``), whose pairs share the
    machine's drift, Wilcoxon's signed ranks (1945) of the pairs' log ratios. Both are exact for small counts.

    Args:
        baseline: One positive figure per run, in any unit.
        candidate: One positive figure per run, same unit.
        quantity: What is compared, for the message.
        limit: Largest allowed ratio candidate / baseline, positive.
        alpha: Error rate of the test, between 0 and 0.5.
        paired: Whether ``baseline[i]`` and ``candidate[i]`` ran side by side in one session.
        same_arm: Two sets of runs of one and the same configuration (A/A); if they differ by more than half of what the
            limit allows, the verdict is ``invalid``.

    Raises:
        SettingsError: If the limit or ``alpha`` is out of range, or paired arms differ in length.
        ResourceFiguresError: If a figure is not positive and finite.
    """
    check_alpha(alpha)
    _check_limit(limit)
    _check_figures(quantity, baseline, candidate)
    if paired and len(baseline) != len(candidate):
        raise SettingsError(
            f"cannot pair {len(baseline)} with {len(candidate)} figures of {quantity}: give as many of both."
        )
    noise = None if same_arm is None else aa_check(*same_arm, limit=limit, quantity=quantity)
    unjudged = ResourceVerdict(
        outcome="invalid",
        quantity=quantity,
        ratio=_median_ratio(baseline, candidate),
        limit=limit,
        p_value=None,
        alpha=alpha,
        reason=noise or "",
    )
    return unjudged if noise is not None else _judged(unjudged, baseline, candidate, alpha=alpha, paired=paired)


def _judged(
    unjudged: ResourceVerdict, baseline: Sequence[float], candidate: Sequence[float], *, alpha: float, paired: bool
) -> ResourceVerdict:
    """Return the verdict with outcome, p-value and reason."""
    ratio, limit, quantity = unjudged.ratio, unjudged.limit, unjudged.quantity
    if ratio is None or min(len(baseline), len(candidate)) < MIN_RUNS:
        counts = f"{len(baseline)} baseline and {len(candidate)} candidate runs"
        reason = f"{counts} of {quantity}: at least {MIN_RUNS} of each are needed"
        return replace(unjudged, outcome="inconclusive", reason=reason)
    observation = f"{quantity} ratio {ratio:.3f}, limit {limit:.3f}"
    # A ratio within the limit passes without a test: a regression needs both a ratio past the limit and a test.
    if ratio <= limit:
        return replace(unjudged, outcome="within_limit", reason=observation)
    p_value = _paired_p(baseline, candidate, limit) if paired else _unpaired_p(baseline, candidate, limit)
    if p_value <= alpha:
        reason = f"{observation}, p = {p_value:.3f}"
        return replace(unjudged, outcome="past_limit", p_value=p_value, reason=reason)
    reason = f"{observation}, but noise could explain it, p = {p_value:.3f}"
    return replace(unjudged, outcome="inconclusive", p_value=p_value, reason=reason)


def aa_check(first: Sequence[float], second: Sequence[float], *, limit: float, quantity: str) -> str | None:
    """Return why the machine is too noisy for the limit, or ``None`` when it is quiet enough.

    Two sets of runs of one configuration differ by noise alone. If their medians differ by more than half of what the
    limit allows (2.5 % for a limit of 1.05; likewise for a required speed-up), the limit cannot be judged on this
    machine.

    Raises:
        SettingsError: If the limit is not positive, or is 1, which allows no difference at all.
        ResourceFiguresError: If a set is empty or a figure is not positive and finite.
    """
    _check_limit(limit)
    _check_figures(quantity, first, second)
    ratio = _median_ratio(first, second)
    if ratio is None:
        raise ResourceFiguresError(f"an A/A check of {quantity} has no runs on one side: give figures of both.")
    allowed = (max(limit, 1 / limit) - 1) / 2
    if allowed == 0:
        raise SettingsError("a limit of 1 allows no noise: give at least 1.01.")
    # Which of the two sets is the slower one is chance, so the ratio counts in either direction.
    difference = max(ratio, 1 / ratio) - 1
    if difference <= allowed:
        return None
    return (
        f"the machine is too noisy: two sets of runs of one configuration differ by {difference:.1%} in {quantity}, "
        f"and the limit accepts {allowed:.1%} (half of the difference that it allows). Use a quieter machine, or relax "
        "the limit"
    )


def compare_peak(
    baseline: float, candidate: float, *, quantity: str, limit: float = DEFAULT_MEMORY_LIMIT
) -> ResourceVerdict:
    """Return whether peak memory is past its limit by plain tolerance, since it is nearly deterministic.

    Args:
        baseline: Peak of the baseline, positive, such as bytes.
        candidate: Peak of the candidate, same unit.
        quantity: What is compared, such as ``peak_allocated_bytes``.
        limit: Largest allowed ratio candidate / baseline, positive; 1.01 allows one percent.

    Raises:
        SettingsError: If the limit is not positive.
        ResourceFiguresError: If a figure is not positive and finite.
    """
    _check_limit(limit)
    _check_figures(quantity, [baseline], [candidate])
    ratio = candidate / baseline
    return ResourceVerdict(
        outcome="within_limit" if ratio <= limit else "past_limit",
        quantity=quantity,
        ratio=ratio,
        limit=limit,
        p_value=None,
        alpha=None,
        reason=f"{quantity} ratio {ratio:.3f}, limit {limit:.3f}",
    )


def interleaved(num_pairs: int) -> tuple[str, ...]:
    """Return the order A B B A A B B A … of ``num_pairs`` pairs: each arm leads half of them, so steady drift cancels.

    Raises:
        SettingsError: If ``num_pairs`` is not positive.
    """
    if num_pairs < 1:
        raise SettingsError(f"cannot interleave {num_pairs} pairs of runs: give at least 1, or {MIN_RUNS} for a test.")
    order = (("A", "B") if pair % 2 == 0 else ("B", "A") for pair in range(num_pairs))
    return tuple(arm for pair in order for arm in pair)


def _median_ratio(baseline: Sequence[float], candidate: Sequence[float]) -> float | None:
    """Return median(candidate) / median(baseline), or ``None`` if a side is empty."""
    if len(baseline) == 0 or len(candidate) == 0:
        return None
    return statistics.median(candidate) / statistics.median(baseline)


def _unpaired_p(baseline: Sequence[float], candidate: Sequence[float], limit: float) -> float:
    """Return the one-sided Mann-Whitney p-value of candidate > limit * baseline."""
    from scipy.stats import mannwhitneyu  # a second of start-up, only when a gate needs it

    return float(mannwhitneyu(candidate, [limit * figure for figure in baseline], alternative="greater").pvalue)


def _paired_p(baseline: Sequence[float], candidate: Sequence[float], limit: float) -> float:
    """Return the one-sided signed-rank p-value of candidate / baseline > limit."""
    from scipy.stats import wilcoxon

    # Logarithms make a slow and a fast pair of the same factor equally large, and the limit a shift.
    log_ratios = [math.log(new / old / limit) for old, new in zip(baseline, candidate, strict=True)]
    return float(wilcoxon(log_ratios, alternative="greater").pvalue)


def _check_limit(limit: float) -> None:
    """Check that a limit is a positive finite ratio."""
    if not (math.isfinite(limit) and limit > 0):
        raise SettingsError(f"the limit is {limit!r}: give a positive ratio, such as 1.05 for at most 5 % more.")


def _check_figures(quantity: str, *arms: Sequence[float]) -> None:
    """Check that figures are positive and finite; a missing measurement must not be passed as zero."""
    for figures in arms:
        for figure in figures:
            if not (math.isfinite(figure) and figure > 0):
                raise ResourceFiguresError(f"{figure!r} is no usable figure of {quantity}: give a positive number.")
