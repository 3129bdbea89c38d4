"""The mean squares of a layout seeds x sentences, where repeats of one text count as one sentence.

A test set may repeat sentences. Repeats of one text share its difficulty, and in evaluation they have one outcome, so
that they are no further evidence: the columns are then the distinct texts. Of the sum ``y[s, c]`` of the differences of
text ``c`` with its ``n_c`` sentences, the analysis uses ``z[s, c] = D + (m / n) (y[s, c] - n_c D)``, for ``m`` texts,
``n`` sentences and their mean difference ``D``. The mean of ``z`` is the mean over all sentences, seed by seed, and its
variance between texts is that of the ratio estimator for clusters of unequal size (Cochran 1977, Sampling Techniques,
chapter 9). Without repeats ``z`` is ``d``; with as many repeats of every text it is the text's mean.

Outcomes are right or wrong, or numbers: what each sentence contributes to a metric. Those of accuracy are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from freezebench.errors import FreezebenchError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_NUM_AXES = 2  # seeds and sentences
POINTS = 100.0  # a point is a hundredth
_ROUNDING = 1e-9  # outcomes of a jackknife that differ by less are the same


class OutcomesError(FreezebenchError, ValueError):
    """Per-sentence outcomes that cannot be compared: wrong shape, wrong type, or none at all."""


@dataclass(frozen=True, kw_only=True)
class MeanSquares:
    """Mean squares of the two-way layout seeds x distinct sentences, one entry per layout of a batch.

    Attributes:
        drop: Mean difference, a proportion of sentences, baseline - candidate; positive is worse.
        seeds: ``MS_S``, the mean square between seeds; zero for a single seed.
        sentences: ``MS_I``, the mean square between sentences.
        residual: ``MS_E``, the mean square of seeds x sentences; zero for a single seed.
        num_seeds: Number of seeds ``k``.
        num_sentences: Number of distinct sentences ``n``.
        scale: What a drop is multiplied by to be in the unit of the margin: 100 for points.
        least_change: What one changed prediction changes an outcome by, at least, for the floor of the standard error.
        arms: The mean squares of the outcomes of baseline and candidate themselves, where their variances depend on the
            metric: of one that is a share. ``None``: of others.
        is_of_shares: Whether the drop is the difference of two shares, which lies between -1 and 1.
    """

    drop: Floats
    seeds: Floats
    sentences: Floats
    residual: Floats
    num_seeds: int
    num_sentences: int
    scale: float = POINTS
    least_change: float = 1.0
    arms: tuple[MeanSquares, MeanSquares] | None = None
    is_of_shares: bool = False


def outcome_differences(baseline_correct: ArrayLike, candidate_correct: ArrayLike) -> NDArray[np.int8]:
    """Return baseline - candidate for every seed and sentence: -1, 0 or 1 (1: only the baseline is right).

    Args:
        baseline_correct: Boolean array ``(seeds, sentences)``, true where the prediction is right.
        candidate_correct: The same for the candidate: same seeds and sentences in the same order.

    Raises:
        OutcomesError: If an array is not boolean, not of two dimensions or empty, or if the shapes differ.
    """
    baseline = _outcomes(baseline_correct, arm="baseline")
    candidate = _outcomes(candidate_correct, arm="candidate")
    if baseline.shape != candidate.shape:
        raise OutcomesError(
            f"cannot pair a baseline of {baseline.shape[0]} seeds x {baseline.shape[1]} sentences with a candidate "
            f"of {candidate.shape[0]} x {candidate.shape[1]}: give both arms the same seeds and sentences."
        )
    return baseline.astype(np.int8) - candidate.astype(np.int8)


def mean_squares(differences: NDArray[np.integer[Any]], groups: ArrayLike | None = None) -> MeanSquares:
    """Return the mean squares of integer differences, two-way analysis of variance without replication.

    Sums of integers are exact, so neither the order of seeds nor that of sentences can change a verdict by rounding.

    Args:
        differences: Integer array ``(..., seeds, sentences)``; leading axes are a batch of layouts.
        groups: Number of the text of every sentence, shape ``(sentences,)``; ``None``: no text is repeated.

    Raises:
        OutcomesError: If there is no seed or fewer than two distinct sentences, the values are not integers, or the
            groups do not fit the sentences.
    """
    if not np.issubdtype(differences.dtype, np.integer) or differences.ndim < 2:  # noqa: PLR2004 - a layout has two axes
        raise OutcomesError(
            f"the differences are {differences.dtype} of shape {differences.shape}: give integers of shape (seeds, "
            "sentences)."
        )
    k, n = differences.shape[-2:]
    per_cell, sizes = _per_text(differences, groups)
    m = len(sizes)
    _check_size(k, m, is_repeated=m != n)
    per_seed, per_text = per_cell.sum(axis=-1), per_cell.sum(axis=-2)
    total = _exact(per_seed.sum(axis=-1))
    # The analysis is that of k·n·y - n_c·total, which is an integer, has the mean zero, and is (n² k / m) (z - D).
    # Each sum of its squares follows from sums that are small enough for 64 bits.
    weighted = _exact((sizes * per_text).sum(axis=-1))
    squared_sizes = int(np.square(sizes).sum())
    squares = (
        (k * n) ** 2 * _exact(np.square(per_cell).sum(axis=(-2, -1)))
        - 2 * k * n * total * weighted
        + k * total**2 * squared_sizes
    )
    # Two-way analysis of variance without replication: total = seeds + sentences + residual, each times k·m.
    between_seeds = k * n**2 * k * (k * _exact(np.square(per_seed).sum(axis=-1)) - total**2)
    between_sentences = m * (
        (k * n) ** 2 * _exact(np.square(per_text).sum(axis=-1))
        - 2 * n * k**2 * total * weighted
        + k**2 * total**2 * squared_sizes
    )
    residual = k * m * squares - between_seeds - between_sentences
    # From the integers' scale to that of z, and from k·m times a sum of squares to the sum: (m / (n² k))² / (k m).
    scale = k**3 * n**4
    return MeanSquares(
        drop=_ratio(total, k * n),
        seeds=_ratio(m * between_seeds, scale * max(k - 1, 1)),
        sentences=_ratio(m * between_sentences, scale * (m - 1)),
        residual=_ratio(m * residual, scale * max(k - 1, 1) * (m - 1)),
        num_seeds=k,
        num_sentences=m,
        is_of_shares=bool(differences.min() >= -1 and differences.max() <= 1),
    )


def mean_squares_of_numbers(differences: Floats, groups: ArrayLike | None = None) -> MeanSquares:
    """Return the mean squares of differences that are any numbers, those of ``z`` in the module's docstring.

    Args:
        differences: Array ``(seeds, sentences)``.
        groups: Number of the text of every sentence, shape ``(sentences,)``; ``None``: no text is repeated.

    Raises:
        OutcomesError: If there are fewer than two distinct sentences, or the groups do not fit the sentences.
    """
    k, n = differences.shape
    per_text, sizes = _per_text(differences, groups)
    m = len(sizes)
    _check_size(k, m, is_repeated=m != n)
    drop = differences.mean()
    z = drop + m / n * (per_text - sizes * drop)
    by_seed, by_text = z.mean(axis=1) - drop, z.mean(axis=0) - drop
    residual = z - drop - by_seed[:, np.newaxis] - by_text
    return MeanSquares(
        drop=np.asarray(drop),
        seeds=np.asarray(m * np.square(by_seed).sum() / max(k - 1, 1)),
        sentences=np.asarray(k * np.square(by_text).sum() / (m - 1)),
        residual=np.asarray(np.square(residual).sum() / (max(k - 1, 1) * (m - 1))),
        num_seeds=k,
        num_sentences=m,
    )


def mean_squares_of_arms(
    baseline: NDArray[np.float64],
    candidate: NDArray[np.float64],
    groups: ArrayLike | None = None,
    *,
    scale: float = POINTS,
    higher_is_better: bool = True,
    is_share: bool = False,
) -> MeanSquares:
    """Return the mean squares of the drop of any metric, from the outcomes of both arms.

    Outcomes that are 0 or 1 are analysed as whole numbers, so that accuracy has the same verdict either way.

    Args:
        baseline: What each sentence contributes to the metric, shape ``(seeds, sentences)``; its mean is the metric.
        candidate: The same for the candidate: same seeds and sentences in the same order.
        groups: Number of the text of every sentence, shape ``(sentences,)``; ``None``: no text is repeated.
        scale: What a drop is multiplied by to be in the unit of the margin: 100 for points.
        higher_is_better: Whether a higher metric is better; a drop is positive where the candidate is worse.
        is_share: Whether the metric lies between 0 and 1, and its variance shrinks towards both, as of F1.

    Raises:
        OutcomesError: If the shapes differ, there are fewer than two distinct sentences, or the groups do not fit.
    """
    if baseline.shape != candidate.shape or baseline.ndim != _NUM_AXES or not baseline.size:
        raise OutcomesError(
            f"cannot pair a baseline of shape {baseline.shape} with a candidate of {candidate.shape}: give both arms "
            "the same seeds and sentences."
        )
    outcomes = np.stack([baseline, candidate])
    with np.errstate(invalid="ignore"):  # outcomes that are not finite give an interval that is not, which is invalid
        differences = baseline - candidate if higher_is_better else candidate - baseline
        if np.isin(outcomes, (0.0, 1.0)).all():
            squares = mean_squares(differences.astype(np.int8), groups)
            return replace(squares, scale=scale, is_of_shares=squares.is_of_shares and scale == POINTS)
        squares = mean_squares_of_numbers(differences, groups)
        arms = [mean_squares_of_numbers(arm, groups) for arm in (outcomes if is_share else ())]
        return replace(
            squares,
            scale=scale,
            least_change=least_change(outcomes, is_bounded=scale == POINTS),
            arms=(arms[0], arms[1]) if arms else None,
            is_of_shares=is_share,
        )


def least_change(outcomes: Floats, *, is_bounded: bool) -> float:
    """Return what one changed prediction changes an outcome by, at least, for the floor of the standard error.

    Two standard deviations of the outcomes: two values that are equally frequent are that far apart. An outcome of a
    metric in points changes by at least one, as that of accuracy does, which never has a larger standard deviation than
    a half. Of a metric in a unit of its own nothing is known where all outcomes are the same; it is one unit then.
    """
    change = 2 * float(outcomes.std())
    is_constant = change <= _ROUNDING * abs(float(outcomes.mean()))
    return max(change, 1.0) if is_bounded or is_constant else change


def _check_size(num_seeds: int, num_sentences: int, *, is_repeated: bool) -> None:
    """Check that there is a seed, and that there are two sentences.

    Raises:
        OutcomesError: If not.
    """
    if num_seeds < 1 or num_sentences <= 1:
        distinct = "distinct " if is_repeated else ""
        raise OutcomesError(
            f"cannot judge {num_seeds} seeds x {num_sentences} {distinct}sentences: give at least 1 seed and "
            f"2 {distinct}sentences."
        )


def _per_text(differences: NDArray[Any], groups: ArrayLike | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sums of differences over the sentences of every text, and the numbers of these sentences.

    Raises:
        OutcomesError: If there is not one number of a text per sentence.
    """
    n = differences.shape[-1]
    # Sums of small integers need more bits than each of them.
    wide = differences.astype(np.int64) if np.issubdtype(differences.dtype, np.integer) else differences
    if groups is None:
        return wide, np.ones(n, dtype=np.int64)
    try:
        texts = _on_host(groups)
    except (TypeError, RuntimeError, ValueError) as error:
        raise OutcomesError(
            f"groups are no array ({error}): give one whole number per sentence, {n} of them."
        ) from error
    if texts.shape != (n,) or not np.issubdtype(texts.dtype, np.integer):
        raise OutcomesError(
            f"groups are {texts.dtype} of shape {texts.shape}: give one whole number per sentence, {n} of them."
        )
    order = np.argsort(texts, kind="stable")
    starts = np.flatnonzero(np.diff(texts[order], prepend=texts[order[:1]] - 1))
    sums = np.add.reduceat(wide[..., order], starts, axis=-1)
    return sums, np.diff(starts, append=n)


def _exact(numbers: NDArray[np.int64] | np.int64) -> Any:
    """Return whole numbers without a limit on their size, as Python's own."""
    return np.asarray(numbers).astype(object)


def _ratio(numerator: Any, denominator: int) -> Floats:
    return np.asarray(numerator / denominator, dtype=np.float64)


def _outcomes(correct: ArrayLike, *, arm: str) -> NDArray[np.bool_]:
    """Return the outcomes of one arm as a boolean array of two dimensions.

    Raises:
        OutcomesError: If they are not boolean, not of two dimensions, or empty.
    """
    try:
        array = _on_host(correct)
    except (TypeError, RuntimeError) as error:  # a sparse tensor, or one without data
        raise OutcomesError(
            f"the {arm}'s outcomes are no array ({error}): give an array (seeds, sentences)."
        ) from error
    except ValueError as error:
        raise OutcomesError(f"the {arm}'s outcomes are ragged: give every seed the same sentences.") from error
    if array.ndim != _NUM_AXES:
        raise OutcomesError(
            f"the {arm}'s outcomes have shape {array.shape}: give (seeds, sentences), (1, sentences) for one seed."
        )
    if array.size == 0:
        raise OutcomesError(f"the {arm}'s outcomes are empty, shape {array.shape}: pass those of an evaluation.")
    # A table of pandas may hold truth values as objects.
    if array.dtype == object and all(isinstance(value, (bool, np.bool_)) for value in array.flat):
        return array.astype(np.bool_)
    if array.dtype != np.bool_:
        # Casting would turn NaN, scores and class numbers into True: a missing outcome must not count as right, and
        # numbers 0 and 1 may be the predictions themselves.
        raise OutcomesError(
            f"the {arm}'s outcomes are {array.dtype}, not boolean: pass `predictions == labels`, none of them missing."
        )
    return array


def _on_host(values: ArrayLike) -> NDArray[Any]:
    """Return values as an array; a tensor may be on a GPU, or part of a graph."""
    detach = getattr(values, "detach", None)
    return np.asarray(values if detach is None else detach().cpu())
