"""When examples are too few for an interval, found by simulation (``benchmarks/metric_error_rates.py``).

The interval of a metric is that of a mean of many pseudovalues. Where the metric rests on few examples, their mean is
skewed, and a run that happens to lose little seems certain of it. The verdict is then inconclusive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freezebench.units import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Values

FEWEST_OF_A_CLASS = 15
FEWEST_MISRANKED = 2.0
FEWEST_PAIRS = 30
FEWEST_ENTITIES = 30
# A calibration error that is nearer to that of chance is a bias of the bins rather than a fault of the model.
_TIMES_CHANCE = 2.0


def too_few_of_a_class(examples: Examples) -> str | None:
    """Return the rarest class if a mean over classes rests on few examples, as macro F1 does.

    Each of the ``C`` classes has the same weight, so that an example of class ``c`` weighs ``1 / (C n_c)``. Examples of
    these weights are as good as ``C² / Σ (1 / n_c)`` equal ones (Kish 1965, Survey Sampling, section 11.7), of two
    classes about four times the rarer one.
    """
    counts = _class_counts(examples)
    occurs = counts[counts > 0]
    effective = len(occurs) ** 2 / (1 / occurs).sum() if len(occurs) else 0.0
    return None if effective >= 4 * FEWEST_OF_A_CLASS else _rarest(examples, counts)


def too_few_of_class_1(examples: Examples) -> str | None:
    """Return class 1 if it has few examples."""
    counts = _class_counts(examples)
    return None if counts[1] >= FEWEST_OF_A_CLASS else _clause(examples, counts, 1)


def too_few_of_others(examples: Examples) -> str | None:
    """Return the rarest class if few examples are of another class than the most frequent one."""
    counts = _class_counts(examples)
    return None if counts.sum() - counts.max() >= FEWEST_OF_A_CLASS else _rarest(examples, counts)


def too_few_of_labels(examples: Examples) -> str | None:
    """Return how many labels the examples have if these are few, of a metric of all labels together."""
    count = int(examples.labels.sum())
    return None if count >= FEWEST_OF_A_CLASS else f"{count} examples have any of the labels"


def too_few_misranked(examples: Examples, auroc: float) -> str | None:
    """Return the rarest class if its examples are few for this AUROC.

    It rests on those that are ranked below examples of the other class, about ``n (1 - AUROC)`` of ``n``.
    """
    counts = _class_counts(examples)
    # Of a label or class that nearly all examples have, those without it are the rare ones.
    rarer = np.minimum(counts, len(examples) - counts)
    if not rarer.any():
        return f"{len(examples)} examples of one class"
    fewest = rarer[rarer > 0].min()
    number = int(np.flatnonzero(rarer == fewest)[np.argmin(counts[rarer == fewest])])
    if fewest < FEWEST_OF_A_CLASS:
        return _clause(examples, counts, number)
    if fewest * (1 - auroc) < FEWEST_MISRANKED:
        return f"{_clause(examples, counts, number)} for an AUROC of {auroc:.3f}"
    return None


def too_few_pairs(examples: Examples) -> str | None:
    """Return how many examples there are if these are few, of a metric of numbers or words."""
    return None if len(examples) >= FEWEST_PAIRS else f"{len(examples)} examples"


def too_few_entities(num_entities: int) -> str | None:
    """Return how many true entities there are if these are few."""
    return None if num_entities >= FEWEST_ENTITIES else f"{num_entities} entities"


def too_few_for_calibration(examples: Examples, ece: float, deviations: Values) -> str | None:
    """Return how many examples there are if the calibration error is near that of a calibrated model.

    Args:
        examples: The examples.
        ece: Their calibration error.
        deviations: Standard deviation of every bin's gap in a calibrated model, a share of the examples.
    """
    # The mean size of a normal number whose standard deviation is 1 is √(2 / π).
    chance = float(np.sqrt(2 / np.pi) * deviations.sum())
    if ece >= _TIMES_CHANCE * chance:
        return None
    return (
        f"{len(examples):,} examples for a calibration error of {100 * ece:.1f} points, where {100 * chance:.1f} come "
        "by chance"
    )


def too_few_for_any(examples: Examples) -> str | None:
    """Return which examples are too few for a metric that may rest on any of them, as a user's own may.

    The recall of a rare class rests on the examples of this class alone, and a function does not say so.
    """
    by_class = examples.task in ("sequence-classification", "multi-label")
    return too_few_of_a_class(examples) if by_class else too_few_pairs(examples)


def _class_counts(examples: Examples) -> NDArray[np.int64]:
    """Return the number of examples of every class, or that have each label."""
    if examples.task == "multi-label":
        counts: NDArray[np.int64] = examples.labels.sum(axis=0).astype(np.int64)
        return counts
    return np.bincount(examples.labels, minlength=len(examples.label_names)).astype(np.int64)


def _rarest(examples: Examples, counts: NDArray[np.int64]) -> str:
    """Return the class with the fewest examples among those that have any."""
    occurs = np.flatnonzero(counts > 0)
    rarest = int(occurs[counts[occurs].argmin()]) if len(occurs) else 0
    return _clause(examples, counts, rarest)


def _clause(examples: Examples, counts: NDArray[np.int64], number: int) -> str:
    noun = "label" if examples.task == "multi-label" else "class"
    return f"{counted(int(counts[number]), 'example')} of {noun} {examples.label_names[number]}"
