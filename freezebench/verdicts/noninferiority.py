"""Non-inferiority of a candidate: one interval of its drop, judged at any number of margins."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

from freezebench.errors import SettingsError
from freezebench.specs.fields import brief, real
from freezebench.specs.limits import DEFAULT_MARGIN_PP, SMALLEST_POINTS
from freezebench.units import with_unit
from freezebench.verdicts.crossed import Interval, crossed_interval
from freezebench.verdicts.mean_squares import OutcomesError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

Outcome = Literal["non_inferior", "inferior", "inconclusive", "invalid"]

# Nobody trains more; such arrays are most likely transposed.
_MOST_SEEDS = 100
ONE_SEED = (
    "one seed cannot tell training noise from freezing: the interval covers sentences only; train with at least 2 seeds"
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an interval decides at one margin.

    Figures are in percentage points, or in the metric's own unit where it has one.

    Attributes:
        outcome: ``non_inferior`` (upper bound below the margin), ``inferior`` (lower bound above it), ``inconclusive``
            (neither, or too few examples), or ``invalid`` (there are no figures to judge; a test fails under every
            policy).
        drop_pp: Baseline - candidate in percentage points, positive is worse; ``None`` without figures: of invalid
            runs, or where the metric has no value.
        lower_pp: One-sided lower bound of the drop at level ``1 - alpha``, percentage points.
        upper_pp: One-sided upper bound of the drop at level ``1 - alpha``, percentage points.
        margin_pp: The margin that was judged, positive, percentage points.
        alpha: Error rate of each one-sided bound.
        num_seeds: Number of paired seeds; ``None`` when unknown.
        num_sentences: Number of distinct sentences; ``None`` when unknown.
        df: Degrees of freedom of the bounds.
        se_pp: Standard error of the drop, percentage points.
        reason: Observation and margin, or the cause of ``invalid``; never empty.
        unit: What the figures count, as sentences name it.
        too_few: Which examples are too few for the interval to hold, so that it decides nothing; ``None``: none.
    """

    outcome: Outcome
    drop_pp: float | None
    lower_pp: float | None
    upper_pp: float | None
    margin_pp: float
    alpha: float
    num_seeds: int | None
    num_sentences: int | None
    df: float | None
    se_pp: float | None
    reason: str
    unit: str = "points"
    too_few: str | None = None

    @property
    def is_decided(self) -> bool:
        """Whether more seeds would change nothing: all but ``inconclusive``, and that for too few examples."""
        return self.outcome != "inconclusive" or self.too_few is not None

    @property
    def interval(self) -> Interval | None:
        """The interval behind this verdict; ``None`` when there was none to judge, or it does not hold."""
        if self.too_few is not None:
            return None
        figures = (self.drop_pp, self.lower_pp, self.upper_pp, self.se_pp, self.df)
        drop_pp, lower_pp, upper_pp, se_pp, df = figures
        if drop_pp is None or lower_pp is None or upper_pp is None or se_pp is None or df is None:
            return None
        if self.num_seeds is None or self.num_sentences is None:
            return None
        return Interval(
            drop_pp=drop_pp,
            lower_pp=lower_pp,
            upper_pp=upper_pp,
            se_pp=se_pp,
            df=df,
            alpha=self.alpha,
            num_seeds=self.num_seeds,
            num_sentences=self.num_sentences,
        )

    def at_margin(self, margin_pp: float) -> Self:
        """Return the verdict of the same interval at another margin; an invalid verdict stays invalid.

        Args:
            margin_pp: The other margin, positive, in percentage points or in the unit of the metric.

        Raises:
            SettingsError: If ``margin_pp`` is not a positive finite number.
        """
        _check_margin(margin_pp)
        if self.outcome == "invalid" or self.interval is None:
            return replace(self, margin_pp=margin_pp)
        outcome, reason = _judge(self.interval, margin_pp, self.unit, self.too_few)
        return replace(self, outcome=outcome, margin_pp=margin_pp, reason=reason)


def noninferiority(
    baseline_correct: ArrayLike,
    candidate_correct: ArrayLike,
    margin_pp: float = DEFAULT_MARGIN_PP,
    alpha: float = 0.05,
    groups: ArrayLike | None = None,
) -> Verdict:
    """Return the verdict on whether the candidate loses less than ``margin_pp`` percentage points of accuracy.

    The drop is baseline - candidate, positive is worse. Its bounds hold for new seeds and new sentences: Obuchowski and
    Rockette (1995), with the degrees of freedom of Hillis (2007); ``freezebench.verdicts.crossed`` has the formulas.
    Each bound errs with probability ``alpha``: use 0.02 per look for several looks.

    Args:
        baseline_correct: Boolean array ``(seeds, sentences)``, true where the prediction is right: nested lists, an
            array of NumPy, a tensor on any device, or a table of pandas. Numbers 0 and 1 are refused, since they may
            be the predictions themselves: pass ``predictions == labels``.
        candidate_correct: The same for the candidate: same seeds and sentences in the same order.
        margin_pp: Largest acceptable drop, positive, percentage points.
        alpha: One-sided error rate of each bound, between 0 and 0.5.
        groups: Number of the text of every sentence, shape ``(sentences,)``, where the test set repeats texts: repeats
            are no further evidence. ``None``: no text is repeated.

    Raises:
        OutcomesError: If the arrays are not boolean, empty, of different shape, hold fewer than two distinct
            sentences, or seem to be transposed, or the groups do not fit them.
        SettingsError: If the margin is below 0.1 points, as a share such as 0.02 is, or ``alpha`` not between 0 and
            0.5.
    """
    _check_margin(margin_pp)
    if margin_pp < SMALLEST_POINTS:
        raise SettingsError(
            f"the margin is {margin_pp:g}: give percentage points, {SMALLEST_POINTS} or more. Did you mean "
            f"{100 * margin_pp:g} points?"
        )
    interval = crossed_interval(baseline_correct, candidate_correct, alpha=alpha, groups=groups)
    if interval.num_seeds > max(_MOST_SEEDS, interval.num_sentences):
        raise OutcomesError(
            f"the arrays have {interval.num_seeds} seeds and {interval.num_sentences} distinct sentences: their shape "
            "is (seeds, sentences). Give them transposed."
        )
    return decide(interval, margin_pp)


def decide(
    interval: Interval, margin_pp: float = DEFAULT_MARGIN_PP, *, unit: str = "points", too_few: str | None = None
) -> Verdict:
    """Return the verdict of an interval at a margin.

    Args:
        interval: The interval.
        margin_pp: The margin, in percentage points, or in the metric's own unit where it has one.
        unit: What the figures count, as sentences name it: ``points``, ``points of macro F1``, ``nats``.
        too_few: Which examples are too few for the interval to hold, such as ``9 examples of class b``; it then
            decides nothing. ``None``: none are.

    Raises:
        SettingsError: If ``margin_pp`` is not a positive finite number.
    """
    _check_margin(margin_pp)
    # A limit is at most the largest drop that there can be, so that what is cut off decides nothing.
    interval = interval.of_possible_drops
    outcome, reason = _judge(interval, margin_pp, unit, too_few)
    # Without enough examples a metric may have no value at all.
    is_shown = interval.is_finite or too_few is None
    return Verdict(
        outcome=outcome,
        drop_pp=interval.drop_pp if is_shown else None,
        lower_pp=interval.lower_pp if is_shown else None,
        upper_pp=interval.upper_pp if is_shown else None,
        margin_pp=margin_pp,
        alpha=interval.alpha,
        num_seeds=interval.num_seeds,
        num_sentences=interval.num_sentences,
        df=interval.df if is_shown else None,
        se_pp=interval.se_pp if is_shown else None,
        reason=reason,
        unit=unit,
        too_few=too_few,
    )


def invalid_verdict(
    reason: str,
    *,
    margin_pp: float = DEFAULT_MARGIN_PP,
    alpha: float = 0.05,
    num_seeds: int | None = None,
    num_sentences: int | None = None,
    unit: str = "points",
) -> Verdict:
    """Return the verdict on invalid runs, with the cause: out of memory, non-finite loss, deadline.

    It carries no figures, since invalid runs are never averaged.

    Raises:
        SettingsError: If the reason is empty or the margin not positive.
    """
    _check_margin(margin_pp)
    if not reason.strip():
        raise SettingsError("an invalid verdict has no reason: give its cause, such as 'out of memory at step 12'.")
    return Verdict(
        outcome="invalid",
        drop_pp=None,
        lower_pp=None,
        upper_pp=None,
        margin_pp=margin_pp,
        alpha=alpha,
        num_seeds=num_seeds,
        num_sentences=num_sentences,
        df=None,
        se_pp=None,
        reason=reason,
        unit=unit,
    )


def deepest_safe(verdicts: Mapping[str, Verdict]) -> str | None:
    """Return the deepest safe prefix: the last non-inferior configuration of the ladder before any other outcome.

    A fixed sequence of tests along nested prefixes, each at full alpha, that stops at the first configuration that is
    not ``non_inferior``: the error rate over the whole ladder stays alpha (Maurer, Hothorn & Lehmacher 1995). A deeper
    configuration that happens to pass after a stop therefore does not count.

    Args:
        verdicts: Verdict per configuration in ladder order, least frozen first, without the baseline, at one margin.

    Returns:
        Name of the configuration; ``None`` if the first one is not ``non_inferior``.

    Raises:
        SettingsError: If the verdicts are at different margins.
    """
    margins = sorted({verdict.margin_pp for verdict in verdicts.values()})
    if len(margins) > 1:
        raise SettingsError(
            f"the verdicts have different margins, {margins}, so that none is the deepest: judge all at one margin."
        )
    deepest = None
    for name, verdict in verdicts.items():
        if verdict.outcome != "non_inferior":
            break
        deepest = name
    return deepest


def _judge(interval: Interval, margin_pp: float, unit: str, too_few: str | None) -> tuple[Outcome, str]:
    """Return outcome and reason of an interval at a margin."""
    if too_few is not None:
        return "inconclusive", f"too few examples: {too_few}"
    if not interval.is_finite:
        return "invalid", "the interval of the drop is not finite"
    # The interval of one seed covers new sentences but no new training run, so it must not decide.
    if interval.num_seeds <= 1:
        return "inconclusive", ONE_SEED
    fewest = fewest_decimals(unit)
    lower, upper = (bound_text(bound, margin_pp, fewest) for bound in (interval.lower_pp, interval.upper_pp))
    limit, seeds = with_unit(margin_pp, unit), f"{interval.num_seeds} seeds"
    # A pass needs proof: a comparison that is false for any cause, NaN included, must not count as one.
    if not (interval.upper_pp < margin_pp):
        if interval.lower_pp > margin_pp:
            return "inferior", f"lower bound {lower} is above {limit}, {seeds}"
        return "inconclusive", f"the bounds {lower} to {upper} contain {limit}, {seeds}"
    return "non_inferior", f"upper bound {upper} is below {limit}, {seeds}"


def fewest_decimals(unit: str) -> int:
    """Return with how many decimals figures in a unit are written, at least: points need fewer than other units."""
    return 1 if unit.startswith("points") else 3


def bound_text(bound_pp: float, margin_pp: float, fewest: int = 1) -> str:
    """Return a bound with enough decimals to differ from the margin: 1.96 rather than 2.0 at a margin of 2.

    Args:
        bound_pp: The bound.
        margin_pp: The margin.
        fewest: Fewest decimals: 1 for points, more for a unit of the metric's own.
    """
    texts = [f"{bound_pp:z.{fewest + more}f}" for more in range(4)]
    return next((text for text in texts if float(text) != margin_pp), texts[-1])


def _check_margin(margin_pp: float) -> None:
    """Check that a margin is a positive finite number."""
    if not 0 < real(margin_pp) < math.inf:
        raise SettingsError(
            f"the margin is {brief(margin_pp)}: give a positive number of percentage points, such as 2."
        )
