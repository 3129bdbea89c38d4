"""When examples are too few for an interval, found by simulation (``benchmarks/metric_error_rates.py``).

The interval of a metric is that of a mean of many pseudovalues. Where the metric rests on few examples, their mean is
skewed, and a run that happens to lose little seems certain of it. The verdict is then inconclusive.

Examples of one unit of the interval, which share a text or are of one group, count once: 60 examples of a class that
are in two documents say no more of other documents than two examples do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from freezebench.units import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Values

    Integers = NDArray[np.int64]

FEWEST_OF_A_CLASS = 15
FEWEST_MISRANKED = 2.0
FEWEST_PAIRS = 30
FEWEST_ENTITIES = 30
# A calibration error that is nearer to that of chance is a bias of the bins rather than a fault of the model.
_TIMES_CHANCE = 2.0
_TWO = 2
_FLOAT_ERROR = 1e-9


def too_few_of_a_class(examples: Examples) -> str | None:
    """Return the rarest class if a mean over classes rests on few examples, as macro F1 does.

    Each of the ``C`` classes has the same weight, so that an example of class ``c`` weighs ``1 / (C n_c)``. Examples of
    these weights are as good as ``C² / Σ (1 / n_c)`` equal ones (Kish 1965, Survey Sampling, section 11.7), of two
    classes about four times the rarer one.
    """
    counts = _class_units(examples)
    occurs = counts[counts > 0]
    effective = len(occurs) ** 2 / (1 / occurs).sum() if len(occurs) else 0.0
    if effective >= 4 * FEWEST_OF_A_CLASS - _FLOAT_ERROR:
        return None
    return _rarest(examples, counts, _needed_of_rarest(occurs) if len(occurs) else None)


def _needed_of_rarest(occurs: Integers) -> int:
    """Return with how many examples of the rarest class a mean over classes would rest on enough.

    Where the other classes have too few as well, each needs an equal share of them.
    """
    num, fewest = len(occurs), 4 * FEWEST_OF_A_CLASS
    left = num**2 / fewest - float((1 / occurs).sum() - 1 / occurs.min())
    return math.ceil((min(1 / left, fewest / num) if left > 0 else fewest / num) - _FLOAT_ERROR)


def too_few_of_class_1(examples: Examples) -> str | None:
    """Return class 1 if it has few examples."""
    counts = _class_units(examples)
    return None if counts[1] >= FEWEST_OF_A_CLASS else _clause(examples, 1, FEWEST_OF_A_CLASS)


def too_few_of_others(examples: Examples) -> str | None:
    """Return the rarest class if few examples are of another class than the most frequent one."""
    most_frequent = _class_counts(examples).argmax()
    num_others = _num_units(examples, examples.labels != most_frequent)
    if num_others >= FEWEST_OF_A_CLASS:
        return None
    counts = _class_units(examples)
    # Of three classes or more, the other ones have to have so many together.
    return _rarest(examples, counts, FEWEST_OF_A_CLASS if np.count_nonzero(counts) == _TWO else None)


def too_few_of_labels(examples: Examples) -> str | None:
    """Return how many labels the examples have if these are few, of a metric of all labels together."""
    has_any = np.asarray(examples.labels.any(axis=1))
    few = _num_units(examples, has_any) < FEWEST_OF_A_CLASS
    return _size(examples, has_any, "example", " with any of the labels", FEWEST_OF_A_CLASS) if few else None


def too_few_ranked(examples: Examples) -> str | None:
    """Return the rarest class if it has few examples to rank."""
    number, fewest = _rarest_ranked(examples)
    if not fewest:
        return f"{len(examples)} examples of one class"
    if fewest >= FEWEST_OF_A_CLASS:
        return None
    is_rare = _class_units(examples)[number] == fewest
    return _clause(examples, number, FEWEST_OF_A_CLASS if is_rare else None)


def too_few_misranked(examples: Examples, auroc: float) -> str | None:
    """Return the rarest class if its examples are few for this AUROC.

    It rests on those that are ranked below examples of the other class, about ``n (1 - AUROC)`` of ``n``.

    Args:
        examples: The examples.
        auroc: Mean over the runs of both arms. Were each run to pass, verdicts would be selected by a low AUROC of the
            better arm, and so by an observed drop that is too small; the mean says nothing of the drop.
    """
    number, fewest = _rarest_ranked(examples)
    few = fewest * (1 - auroc) < FEWEST_MISRANKED
    return f"{_clause(examples, number)} for an AUROC of {auroc:.3f}" if few else None


def _rarest_ranked(examples: Examples) -> tuple[int, int]:
    """Return the class with the fewest units to rank against others, and their number; 0 where all are of one class."""
    counts = _class_units(examples)
    # Of a label or class that nearly all examples have, those without it are the rare ones.
    rarer = np.minimum(counts, _class_units(examples, others=True))
    if not rarer.any():
        return 0, 0
    fewest = rarer[rarer > 0].min()
    return int(np.flatnonzero(rarer == fewest)[np.argmin(counts[rarer == fewest])]), int(fewest)


def too_few_pairs(examples: Examples) -> str | None:
    """Return how many examples there are if these are few, of a metric of numbers or words."""
    all_of_them = np.ones(len(examples), dtype=np.bool_)
    few = _num_units(examples, all_of_them) < FEWEST_PAIRS
    return _size(examples, all_of_them, "example", needed=FEWEST_PAIRS) if few else None


def too_few_entities(examples: Examples, per_example: Integers) -> str | None:
    """Return how many true entities there are if these are few, or are in few units.

    Args:
        examples: The sentences.
        per_example: Number of true entities of every sentence.
    """
    num, has_any = int(per_example.sum()), per_example > 0
    if num < FEWEST_ENTITIES:
        return f"{num} of {FEWEST_ENTITIES} needed entities"
    few = _num_units(examples, has_any) < FEWEST_OF_A_CLASS
    return f"{num} entities in {_size(examples, has_any, 'sentence', needed=FEWEST_OF_A_CLASS)}" if few else None


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


def _is_of_class(examples: Examples) -> NDArray[np.bool_]:
    """Return whether every example is of every class, or has every label, shape (examples, classes)."""
    if examples.task == "multi-label":
        return np.asarray(examples.labels, dtype=np.bool_)
    is_of_class: NDArray[np.bool_] = examples.labels[:, np.newaxis] == np.arange(len(examples.label_names))
    return is_of_class


def _class_counts(examples: Examples) -> Integers:
    """Return the number of examples of every class, or that have each label."""
    counts: Integers = _is_of_class(examples).sum(axis=0).astype(np.int64)
    return counts


def _class_units(examples: Examples, *, others: bool = False) -> Integers:
    """Return in how many units of the interval every class occurs, or all others together."""
    is_in = _is_of_class(examples) != others
    return np.array([_num_units(examples, column) for column in is_in.T], dtype=np.int64)


def _num_units(examples: Examples, is_in: NDArray[np.bool_]) -> int:
    """Return how many units of the interval some of the examples are of."""
    return int(is_in.sum()) if examples.units is None else len(np.unique(examples.units[is_in]))


def _rarest(examples: Examples, counts: Integers, needed: int | None) -> str:
    """Return the class with the lowest count among those that occur."""
    occurs = np.flatnonzero(counts > 0)
    return _clause(examples, int(occurs[counts[occurs].argmin()]) if len(occurs) else 0, needed)


def _clause(examples: Examples, number: int, needed: int | None = None) -> str:
    """Return how many examples a class has, and how many units where these are fewer."""
    noun = "label" if examples.task == "multi-label" else "class"
    of = f" of {noun} {examples.label_names[number]}"
    return _size(examples, _is_of_class(examples)[:, number], "example", of, needed)


def _size(examples: Examples, is_in: NDArray[np.bool_], noun: str, of: str = "", needed: int | None = None) -> str:
    """Return a number of examples: ``9 of 15 needed examples of class b``, ``60 examples in 2 texts or groups``.

    Args:
        examples: All examples.
        is_in: Which of them are counted.
        noun: What they are.
        of: What follows the noun.
        needed: How many of them, or of their units where these are fewer, would be enough; ``None``: not known.
    """
    num, num_units = int(is_in.sum()), _num_units(examples, is_in)
    if num_units == num:
        return f"{counted(num, noun) if needed is None else f'{num} of {needed} needed {noun}s'}{of}"
    if needed is not None:
        return f"{counted(num, noun)}{of} in {num_units} of {needed} needed texts or groups"
    return f"{counted(num, noun)}{of} in {num_units} text{'s or groups' if num_units > 1 else ' or group'}"
