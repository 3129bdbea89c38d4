"""Whether differences of outcomes are shown to be above 0, also where they are few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.mean_squares import mean_squares, mean_squares_of_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray


def shown_above_zero(
    differences: NDArray[Any], groups: NDArray[np.int64] | None, *, alpha: float, unit: float = 1
) -> bool:
    """Return whether differences of shape (seeds, sentences) are shown to be above 0, in the mean or for every seed.

    The interval of few seeds that differ is wide: with accuracies of 80 and 95 %, that of their mean begins below 50 %.
    It allows for other seeds, which may be far worse. Where there is nothing to be learned, though, no seed is above 0
    but by the choice of sentences, and then all seeds rarely are. So the sentences of each seed by itself suffice, too.

    Args:
        differences: Integers from ``-unit`` to ``unit``, or numbers.
        groups: Number of the text of every sentence; ``None``: no text is repeated.
        alpha: One-sided error rate.
        unit: The difference of a sentence that only one arm classifies correctly, or what a changed prediction changes
            an outcome by.
    """
    if not differences.size:
        return False
    layouts = [differences] if len(differences) == 1 else [differences, *differences[:, np.newaxis]]
    in_mean, *by_seed = (lower_bound(layout, groups, alpha=alpha, unit=unit) > 0 for layout in layouts)
    return in_mean or (len(by_seed) > 1 and all(by_seed))


def lower_bound(differences: NDArray[Any], groups: NDArray[np.int64] | None, *, alpha: float, unit: float) -> float:
    """Return the one-sided lower bound of the mean in percentage points, with one sentence of each sign added.

    The arguments are those of ``shown_above_zero``.

    Three differences among a thousand, all of one sign, are too few for a t interval, whose bound would be above 0: by
    a sign test they have p = 1/8. The added sentences are the adjustment of Bonett and Price (2012, Journal of
    Educational and Behavioral Statistics 37:479-488) for paired outcomes.
    """
    added = np.full((len(differences), 1), unit, dtype=differences.dtype)
    texts = None if groups is None else np.append(groups, groups.max() + np.array([1, 2]))
    is_whole = np.issubdtype(differences.dtype, np.integer)
    squares = (mean_squares if is_whole else mean_squares_of_numbers)(np.hstack([differences, added, -added]), texts)
    return interval_from_mean_squares(squares, alpha=alpha).lower_pp
