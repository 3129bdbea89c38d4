"""What a number of seeds and sentences can decide: before any training, and from the spread of runs that ended."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from freezebench.errors import SettingsError
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.verdicts.crossed import check_alpha, standard_error, t_quantile
from freezebench.verdicts.mean_squares import MeanSquares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LEAST_POWER = 0.5  # below one half the approximation has no meaning
# More is hardly ever trained or labelled.
MAX_SEEDS = 100
MAX_SENTENCES = 1_000_000
_GROWTH = 1.02  # numbers of sentences are tried in steps of 2 %, far finer than the extrapolation is certain


@dataclass(frozen=True, kw_only=True)
class Population:
    """The assumptions about the accuracy of fine-tuning runs before any has been trained.

    The defaults are those of the design: fine-tuned DistilBERT on SST-2, accuracy about .89. Accuracy itself does not
    matter: for a difference of two arms only the disagreements count.

    Attributes:
        arm_disagreement: Share of sentences on which baseline and candidate of one seed differ in being right.
        seed_disagreement: Share of sentences on which two seeds of one arm differ in being right.
        seed_sd_pp: Standard deviation of an arm's true accuracy between seeds, percentage points.
    """

    arm_disagreement: float = 0.07
    seed_disagreement: float = 0.05
    seed_sd_pp: float = 0.5

    def expected_mean_squares(self, num_seeds: int, num_sentences: int) -> MeanSquares:
        """Return the expected mean squares of the differences at a true drop of zero.

        Two independent seeds of one arm differ on a share ``p`` of the sentences when the variance within a sentence
        is ``p / 2``, so the difference of two arms has residual variance ``p``; other disagreement of the arms
        belongs to the sentences. Both arms have their own variance between seeds.
        """
        residual = self.seed_disagreement
        between_sentences = max(self.arm_disagreement - self.seed_disagreement, 0.0)
        between_seeds = 2 * (self.seed_sd_pp / 100) ** 2
        return MeanSquares(
            drop=np.zeros(()),
            seeds=np.asarray(residual + num_sentences * between_seeds),
            sentences=np.asarray(residual + num_seeds * between_sentences),
            residual=np.asarray(residual),
            num_seeds=num_seeds,
            num_sentences=num_sentences,
        )


def resolvable_margin(
    num_seeds: int,
    num_sentences: int,
    *,
    power: float = 0.8,
    alpha: float = ALPHA_ONE_LOOK,
    population: Population | None = None,
) -> float:
    """Return the margin of accuracy that a candidate without any true drop passes with probability ``power``.

    ``(t(1 - alpha, df) + t(power, df)) · SE`` at the expected mean squares, the usual approximation of the power of a
    t test. Assumptions: ``Population`` (arms disagree on 7 % of sentences, seeds on 5 %, seed SD 0.5 points).

    Args:
        num_seeds: Seeds per arm; a single seed resolves nothing and gives infinity.
        num_sentences: Sentences of the test set.
        power: Probability of ``non_inferior`` at a true drop of zero, between 0.5 and 1.
        alpha: One-sided error rate of the look.
        population: The assumptions about the runs; the defaults of ``Population`` if ``None``.

    Raises:
        SettingsError: If a count, ``power`` or ``alpha`` is out of range.
    """
    check_alpha(alpha)
    if not _LEAST_POWER <= power < 1:
        raise SettingsError(f"power is {power!r}: give a probability from 0.5 to below 1, such as 0.8.")
    if num_seeds < 1 or num_sentences <= 1:
        raise SettingsError(
            f"cannot plan for {num_seeds} seeds x {num_sentences} sentences: give at least 1 and 2 of them."
        )
    if num_seeds == 1:
        return math.inf
    squares = (population or Population()).expected_mean_squares(num_seeds, num_sentences)
    se, df = standard_error(squares)
    return float(100 * (t_quantile(1 - alpha, df) + t_quantile(power, df)) * se)


@dataclass(frozen=True, kw_only=True)
class DecidingCounts:
    """How large a design would decide, if nothing but its size changed.

    Attributes:
        num_seeds: Number of seeds on the same sentences; ``None``: no number up to the largest that was tried.
        num_sentences: Number of test sentences with the same seeds; ``None``: no number up to the largest.
        both_suffice: Whether the largest numbers of both that were tried would decide together.
    """

    num_seeds: int | None
    num_sentences: int | None
    both_suffice: bool


def deciding_counts(
    squares: MeanSquares,
    margin_pp: float,
    *,
    alpha: float = ALPHA_ONE_LOOK,
    max_seeds: int = MAX_SEEDS,
    max_sentences: int = MAX_SENTENCES,
) -> DecidingCounts:
    """Return the smallest numbers of seeds, or of sentences, with which the observed drop would be decided.

    A drop below the margin is decided when the upper bound is below it, and one above when the lower bound is above.
    The observed drop is kept, and so are the variance components that the observed mean squares estimate (the
    expected mean squares of the two-way random-effects layout, as in ``freezebench.verdicts.crossed``):
    ``MS_E``, ``(MS_S - MS_E) / n`` between seeds and ``(MS_I - MS_E) / k`` between sentences, negative ones as 0. With
    more seeds only the sentences' part of the error remains, and with more sentences only the seeds' part, so that one
    of the two may not suffice in any number. It is an extrapolation: new seeds and sentences will move the drop.

    Args:
        squares: Mean squares of a single layout (no batch axes) of at least two seeds.
        margin_pp: Largest acceptable drop, in the unit of the squares: percentage points, or the metric's own.
        alpha: Error rate of the one-sided bound.
        max_seeds: Largest number of seeds to try.
        max_sentences: Largest number of sentences to try.

    Raises:
        SettingsError: If ``alpha`` is out of range, or there is a single seed, whose spread is unknown.
    """
    check_alpha(alpha)
    if squares.num_seeds <= 1:
        raise SettingsError("one seed has no spread, from which a number of seeds could be computed: give two or more.")

    def suffices(num_seeds: int, num_sentences: int) -> bool:
        se, df = standard_error(_at_size(squares, num_seeds, num_sentences))
        return bool(squares.scale * t_quantile(1 - alpha, df) * se < abs(margin_pp - squares.scale * squares.drop))

    return _smallest(suffices, squares.num_seeds, squares.num_sentences, max_seeds, max_sentences)


def resolving_counts(
    num_seeds: int,
    num_sentences: int,
    margin_pp: float,
    *,
    power: float = 0.8,
    alpha: float = ALPHA_ONE_LOOK,
    max_seeds: int = MAX_SEEDS,
    max_sentences: int = MAX_SENTENCES,
) -> DecidingCounts:
    """Return the smallest numbers of seeds, or of sentences, whose ``resolvable_margin`` is at most a given margin.

    Args:
        num_seeds: Number of seeds of the design, at least two.
        num_sentences: Number of sentences of the design.
        margin_pp: The margin to resolve, percentage points.
        power: Probability of ``non_inferior`` at a true drop of zero, between 0.5 and 1.
        alpha: One-sided error rate of the look.
        max_seeds: Largest number of seeds to try.
        max_sentences: Largest number of sentences to try.

    Raises:
        SettingsError: If a count, ``power`` or ``alpha`` is out of range.
    """

    def suffices(seeds: int, sentences: int) -> bool:
        return resolvable_margin(seeds, sentences, power=power, alpha=alpha) <= margin_pp

    return _smallest(suffices, num_seeds, num_sentences, max_seeds, max_sentences)


def _smallest(
    suffices: Callable[[int, int], bool], num_seeds: int, num_sentences: int, max_seeds: int, max_sentences: int
) -> DecidingCounts:
    """Return the smallest number of seeds with these sentences, and of sentences with these seeds, that suffices."""
    # A bound need not fall steadily: with more sentences its degrees of freedom fall towards those of the seeds.
    sentences = _growing(num_sentences, max_sentences)
    return DecidingCounts(
        num_seeds=next((number for number in range(num_seeds, max_seeds + 1) if suffices(number, num_sentences)), None),
        num_sentences=next((number for number in sentences if suffices(num_seeds, number)), None),
        both_suffice=suffices(max(num_seeds, max_seeds), max(num_sentences, max_sentences)),
    )


def _growing(first: int, last: int) -> Iterator[int]:
    """Yield whole numbers from ``first`` to at most ``last``, each about 2 % larger than the one before."""
    number = first
    while number <= last:
        yield number
        number = math.ceil(number * _GROWTH)


def _at_size(squares: MeanSquares, num_seeds: int, num_sentences: int) -> MeanSquares:
    """Return the mean squares that the same variance components give in a design of another size."""
    residual = squares.residual
    between_seeds = np.maximum(squares.seeds - residual, 0.0) / squares.num_sentences
    between_sentences = np.maximum(squares.sentences - residual, 0.0) / squares.num_seeds
    return replace(
        squares,
        # The mean square between seeds does not depend on their number; a small one is kept as it was observed.
        seeds=np.minimum(squares.seeds, residual) + num_sentences * between_seeds,
        sentences=residual + num_seeds * between_sentences,
        residual=residual,
        num_seeds=num_seeds,
        num_sentences=num_sentences,
    )
