"""The interval of a drop whose seeds and sentences are both random samples.

Both arms are run with the same seeds on the same sentences, and each cell is a difference of outcomes:

                 sentence 1   sentence 2   …   sentence n
    seed 1            0            1                0       baseline right, candidate wrong: 1
    seed 2            0            1               -1       candidate right, baseline wrong: -1
    …

Those of other metrics are numbers: what each sentence contributes to the metric, whose mean the metric is.

Another study would draw other seeds and other sentences, so both the spread of rows and that of columns count.

Seeds x sentences is the crossed (multi-reader, multi-case) design of diagnostic studies, with seeds as readers and
sentences as cases: the two-way random-effects analysis of Dorfman, Berbaum & Metz (1992) and Obuchowski & Rockette
(1995) in the form of Hillis, Berbaum & Metz (2008), on the differences of two arms that share seeds and sentences.

The sentences are the distinct ones: ``freezebench.verdicts.mean_squares`` says how repeats of a text count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from freezebench.errors import SettingsError
from freezebench.specs.fields import brief, real
from freezebench.verdicts.mean_squares import mean_squares, outcome_differences
from freezebench.verdicts.score_bounds import Arms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from freezebench.verdicts.mean_squares import Floats, MeanSquares

_HALF = 0.5  # from one half on, the bounds would swap sides
# Below this many degrees of freedom, two seeds in practice, the mean square between seeds is often far too small by
# chance: with one degree of freedom, 8 % of all samples give less than a hundredth of the true value.
_FEW_SEED_DF = 2.0


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The drop of one candidate with its two one-sided bounds.

    Figures are in percentage points, or in the metric's own unit where it has one.

    Attributes:
        drop_pp: Mean of baseline - candidate in percentage points; positive means that the candidate is worse.
        lower_pp: One-sided lower bound of the drop at level ``1 - alpha``, percentage points.
        upper_pp: One-sided upper bound of the drop at level ``1 - alpha``, percentage points.
        se_pp: Standard error of the drop, percentage points.
        df: Degrees of freedom of the t distribution behind the bounds.
        alpha: Error rate of each of the two bounds.
        num_seeds: Number of seeds; with one, the interval covers sentences only and not training noise.
        num_sentences: Number of distinct sentences.
        largest_pp: The largest drop or gain that there can be: 100 points of a difference of shares.
    """

    drop_pp: float
    lower_pp: float
    upper_pp: float
    se_pp: float
    df: float
    alpha: float
    num_seeds: int
    num_sentences: int
    largest_pp: float = field(default=math.inf, compare=False)

    @property
    def of_possible_drops(self) -> Interval:
        """This interval without the drops that there cannot be: a t interval of few sentences is wider than all."""
        if not self.is_finite:
            return self
        return replace(
            self, lower_pp=max(self.lower_pp, -self.largest_pp), upper_pp=min(self.upper_pp, self.largest_pp)
        )

    @property
    def is_finite(self) -> bool:
        """Whether every figure of this interval is a finite number."""
        return all(map(math.isfinite, (self.drop_pp, self.lower_pp, self.upper_pp, self.se_pp, self.df)))

    @property
    def covers(self) -> str:
        """What the interval generalises to: ``seeds and sentences``, or ``sentences only`` for one seed."""
        return "seeds and sentences" if self.num_seeds > 1 else "sentences only"


def standard_error(squares: MeanSquares, *, seed_df: float | None = None) -> tuple[Floats, Floats]:
    """Return the standard error of the drop, in the scale of the outcomes, and its degrees of freedom.

    ``SE² = (MS_S + max(MS_I - MS_E, 0)) / (n k)`` and
    ``df = (MS_S + max(MS_I - MS_E, 0))² / (MS_S² / (k - 1))``: Hillis (2007), "A comparison of denominator degrees of
    freedom methods for multiple observer ROC analysis", Statistics in Medicine 26:596-619, and Hillis, Berbaum & Metz
    (2008), Academic Radiology 15:647-661, for readers and cases random, here with seeds and sentences and one contrast.
    Degrees of freedom stay within ``[k - 1, n - 1]`` (the smaller of the two where ``n < k``).

    Two seeds take ``df = (k - 1) · max(MS_I - MS_E, 0) / MS_S`` in the same range instead. Hillis's formula squares a
    ratio that is inflated whenever ``MS_S`` is small by luck, which with one degree of freedom it often is. Simulated
    with normal effects over a grid of variance components, its one-sided 95 % bounds cover 91.4 to 95.1 %, these 94.9
    to 96.4 % (its 98 % bounds 94.0 to 98.0 %, these 96.5 to 98.6 %). The form was chosen from several by that
    simulation; it is not from a paper.

    A floor of ``√2 / (n √k)`` on the standard error keeps identical predictions from giving an interval of no width. It
    is the error of predictions that differ in two sentences of every seed, which for accuracy changes two outcomes by
    1; for other metrics it is multiplied by what such a change is at least (``MeanSquares.least_change``).

    Args:
        squares: Mean squares of one layout or of a batch of them.
        seed_df: Degrees of freedom of ``squares.seeds`` where it is not ``k - 1``: pooled over a grid.
    """
    k, n = squares.num_seeds, squares.num_sentences
    if seed_df is None:
        seed_df = k - 1
    # A negative difference of mean squares estimates a variance component of zero.
    numerator = squares.seeds + np.maximum(squares.sentences - squares.residual, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if seed_df < _FEW_SEED_DF:
            estimated = (numerator - squares.seeds) / squares.seeds * seed_df
        else:
            estimated = np.square(numerator / squares.seeds) * seed_df
    # No spread between seeds leaves the sentences alone (df = n - 1); no spread at all is no information (k - 1).
    smallest, largest = (seed_df if k > 1 else n - 1), n - 1
    unbounded = np.where(numerator > 0, largest, smallest)
    df = np.where(squares.seeds > 0, estimated, unbounded)
    floor = math.sqrt(2 / k) / n * squares.least_change
    return np.maximum(np.sqrt(numerator / (n * k)), floor), np.clip(df, smallest, largest)


def t_quantile(probability: float, df: Floats | float) -> Floats:
    """Return the quantile of Student's t distribution at ``probability`` for ``df`` degrees of freedom."""
    from scipy.special import stdtrit  # scipy.stats would cost a second of start-up

    return np.asarray(stdtrit(df, probability), dtype=np.float64)


def interval_from_mean_squares(squares: MeanSquares, *, alpha: float = 0.05, seed_df: float | None = None) -> Interval:
    """Return the interval of the drop from the mean squares of one layout, ``D ± t(1 - alpha, df) · SE``.

    Of a metric that is a share, such as F1, ``SE`` is that at the bound (``freezebench.verdicts.score_bounds``).

    Args:
        squares: Mean squares of a single layout (no batch axes).
        alpha: Error rate of each one-sided bound, between 0 and 0.5.
        seed_df: Degrees of freedom of ``squares.seeds`` where it is not ``k - 1``: pooled over a grid.

    Raises:
        SettingsError: If ``alpha`` is not between 0 and 0.5.
    """
    check_alpha(alpha)
    se, df = standard_error(squares, seed_df=seed_df)
    quantile, drop, scale = float(t_quantile(1 - alpha, df)), float(squares.drop), squares.scale
    if squares.arms is None:
        lower, upper = drop - quantile * float(se), drop + quantile * float(se)
    else:
        lower, upper = _arms(squares, squares.arms, float(se)).bounds(quantile)
    return Interval(
        drop_pp=scale * drop,
        lower_pp=scale * lower,
        upper_pp=scale * upper,
        se_pp=scale * float(se),
        df=float(df),
        alpha=alpha,
        num_seeds=squares.num_seeds,
        num_sentences=squares.num_sentences,
        largest_pp=scale if squares.is_of_shares else math.inf,
    )


def _arms(squares: MeanSquares, arms: tuple[MeanSquares, MeanSquares], drop_se: float) -> Arms:
    """Return both arms with their standard errors."""
    baseline, candidate = arms
    return Arms(
        baseline=float(baseline.drop),
        candidate=float(candidate.drop),
        baseline_se=float(standard_error(baseline)[0]),
        candidate_se=float(standard_error(candidate)[0]),
        drop_se=drop_se,
        num_examples=squares.num_sentences,
    )


def crossed_interval(
    baseline_correct: ArrayLike,
    candidate_correct: ArrayLike,
    *,
    alpha: float = 0.05,
    groups: ArrayLike | None = None,
) -> Interval:
    """Return the drop in accuracy with one-sided bounds that hold for new seeds and new sentences.

    With a single seed the bounds hold for new sentences only (a paired t interval): see ``Interval.covers``.

    Args:
        baseline_correct: Boolean array ``(seeds, sentences)``.
        candidate_correct: Boolean array ``(seeds, sentences)``, same seeds and sentences in the same order.
        alpha: Error rate of each one-sided bound, between 0 and 0.5.
        groups: Number of the text of every sentence, shape ``(sentences,)``; ``None``: no text is repeated.

    Raises:
        OutcomesError: If the arrays are not boolean, empty, of different shape, or hold fewer than two distinct
            sentences, or the groups do not fit them.
        SettingsError: If ``alpha`` is not between 0 and 0.5.
    """
    return interval_from_mean_squares(
        mean_squares(outcome_differences(baseline_correct, candidate_correct), groups), alpha=alpha
    )


def check_alpha(alpha: float) -> None:
    """Check that an error rate is between 0 and 0.5.

    Raises:
        SettingsError: If it is not, or is NaN.
    """
    if not 0 < real(alpha) < _HALF:
        raise SettingsError(f"alpha is {brief(alpha)}: give a one-sided error rate between 0 and 0.5, such as 0.05.")
