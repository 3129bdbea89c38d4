"""The margin that a number of seeds and sentences can resolve, computed before any training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from freezebench.errors import SettingsError
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.verdicts.crossed import MeanSquares, check_alpha, standard_error, t_quantile

_LEAST_POWER = 0.5  # below one half the approximation has no meaning


@dataclass(frozen=True, kw_only=True)
class Population:
    """The assumptions about fine-tuning runs before any has been trained.

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
    """Return the margin, percentage points, that a candidate without any true drop passes with probability ``power``.

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
        raise SettingsError(f"cannot plan for {num_seeds} seeds x {num_sentences} sentences: at least 1 and 2 needed.")
    if num_seeds == 1:
        return math.inf
    squares = (population or Population()).expected_mean_squares(num_seeds, num_sentences)
    se, df = standard_error(squares)
    return float(100 * (t_quantile(1 - alpha, df) + t_quantile(power, df)) * se)
