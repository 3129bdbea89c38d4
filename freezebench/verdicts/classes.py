"""What runs predict of each class: recall, macro F1, and classes that are never predicted."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from freezebench.records.consistency import f1_by_class
from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.mean_squares import mean_squares, outcome_differences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import RunRecord

_RARE = 0.2

# A class counts as lost from this share of its recall without freezing.
_LOST = 0.1


def class_name(data: DataFacts, label: int) -> str:
    """Return how sentences call a class: ``class positive``."""
    names = data.label_names
    return f"class {names[label] if 0 <= label < len(names) else label}"


def majority_class(data: DataFacts) -> int:
    """Return the most frequent class of the test split, the smallest number of several."""
    counts = Counter(data.test_labels)
    return min(counts, key=lambda label: (-counts[label], label))


def rarest_classes(data: DataFacts) -> list[int]:
    """Return the classes of the test split, the rarest first."""
    counts = Counter(data.test_labels)
    return sorted(counts, key=lambda label: (counts[label], label))


def has_rare_class(data: DataFacts) -> bool:
    """Return whether the smallest class of the test split has less than a fifth of it, so that accuracy hides much."""
    return bool(data.test_labels) and min(Counter(data.test_labels).values()) < _RARE * len(data.test_labels)


def only_class(record: RunRecord) -> int | None:
    """Return the class that a run predicts for every test sentence; ``None`` if it predicts several."""
    predicted = set(record.test.predictions) if record.test else set()
    return predicted.pop() if len(predicted) == 1 else None


def recall(records: Sequence[RunRecord], label: int) -> float | None:
    """Return the share of a class's test sentences that were classified correctly, mean over runs of one test set.

    ``None`` without runs, or if no test sentence has this class.
    """
    correct = _correct(records, label)
    return float(correct.mean()) if correct.size else None


def macro_f1(records: Sequence[RunRecord]) -> float | None:
    """Return the unweighted mean of the F1 of every class, mean over runs of one test set; ``None`` without runs."""
    scores = [
        score
        for record in records
        if record.test is not None and record.data is not None
        for score in f1_by_class(record.data.test_labels, record.test.predictions, range(len(record.data.label_names)))
    ]
    return statistics.fmean(scores) if scores else None


def one_class_sentence(records: Sequence[RunRecord]) -> str | None:
    """Return which runs predict one class for every test sentence, and which class; ``None`` if none does."""
    constant = [(record, label) for record in records if (label := only_class(record)) is not None]
    if not constant:
        return None
    names = dict.fromkeys(class_name(record.data, label) for record, label in constant if record.data)
    seeds = [record.spec.seed for record, _ in constant]
    who = f"seed {seeds[0]} predicts" if len(seeds) == 1 else f"seeds {joined(seeds)} predict"
    return f"{who} one class for every test sentence ({', '.join(names)})"


def lost_class_sentence(records: Sequence[RunRecord], baseline: Sequence[RunRecord], *, alpha: float) -> str | None:
    """Return which classes a candidate recognises hardly or not at all, and the unfrozen runs are shown to do better.

    A class of very few sentences may be missed by chance: it counts if the one-sided lower bound of the loss in recall,
    over seeds and sentences, is above 0.

    Args:
        records: The candidate's runs.
        baseline: The unfrozen runs of the same seeds on the same test sentences.
        alpha: Error rate of the bound.
    """
    data = next((record.data for record in records if record.data), None)
    if data is None:
        return None
    groups = text_groups([*records, *baseline])
    texts = []
    for label in sorted(set(data.test_labels)):
        before, after = recall(baseline, label) or 0.0, recall(records, label) or 0.0
        losses = outcome_differences(_correct(baseline, label), _correct(records, label))
        if after <= _LOST * before and shown_above_zero(losses, _of_class(groups, data, label), alpha=alpha):
            kept = f"recall {100 * after:.1f} %, without freezing {100 * before:.0f} %"
            texts.append(f"{class_name(data, label)} ({kept})")
    return f"hardly recognised: {joined(texts)}" if texts else None


def joined(items: Sequence[object]) -> str:
    """Return the items as a list in a sentence: ``42, 43 and 44``."""
    texts = [str(item) for item in items]
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def text_groups(records: Sequence[RunRecord]) -> NDArray[np.int64] | None:
    """Return the number of the text of every test sentence; ``None`` where no run says which texts repeat."""
    # All runs have the same test sentences, but those of an earlier version do not say which of them repeat.
    groups = (record.data.test_groups for record in records if record.data is not None)
    known = next((numbers for numbers in groups if numbers is not None), None)
    return None if known is None else np.array(known, dtype=np.int64)


def shown_above_zero(
    differences: NDArray[np.integer[Any]], groups: NDArray[np.int64] | None, *, alpha: float, unit: int = 1
) -> bool:
    """Return whether differences of shape (seeds, sentences) are shown to be above 0, in the mean or for every seed.

    The interval of few seeds that differ is wide: with accuracies of 80 and 95 %, that of their mean begins below 50 %.
    It allows for other seeds, which may be far worse. Where there is nothing to be learned, though, no seed is above 0
    but by the choice of sentences, and then all seeds rarely are. So the sentences of each seed by itself suffice, too.

    Args:
        differences: Integers from ``-unit`` to ``unit``.
        groups: Number of the text of every sentence; ``None``: no text is repeated.
        alpha: One-sided error rate.
        unit: The difference of a sentence that only one arm classifies correctly.
    """
    if not differences.size:
        return False
    layouts = [differences] if len(differences) == 1 else [differences, *differences[:, np.newaxis]]
    in_mean, *by_seed = (_lower_bound(layout, groups, alpha=alpha, unit=unit) > 0 for layout in layouts)
    return in_mean or (len(by_seed) > 1 and all(by_seed))


def _lower_bound(
    differences: NDArray[np.integer[Any]], groups: NDArray[np.int64] | None, *, alpha: float, unit: int
) -> float:
    """Return the one-sided lower bound of the mean, with one sentence of each sign added.

    Three differences among a thousand, all of one sign, are too few for a t interval, whose bound would be above 0: by
    a sign test they have p = 1/8. The added sentences are the adjustment of Bonett and Price (2012, Journal of
    Educational and Behavioral Statistics 37:479-488) for paired outcomes.
    """
    added = np.full((len(differences), 1), unit, dtype=differences.dtype)
    texts = None if groups is None else np.append(groups, groups.max() + np.array([1, 2]))
    squares = mean_squares(np.hstack([differences, added, -added]), texts)
    return interval_from_mean_squares(squares, alpha=alpha).lower_pp


def _correct(records: Sequence[RunRecord], label: int) -> NDArray[np.bool_]:
    """Return whether the sentences of one class were classified correctly, shape (runs, sentences of the class)."""
    data = next((record.data for record in records if record.data), None)
    if data is None:
        return np.zeros((0, 0), dtype=np.bool_)
    correct = np.array([record.test_correct for record in records if record.test], dtype=np.bool_)
    return correct[:, np.array(data.test_labels) == label]


def _of_class(groups: NDArray[np.int64] | None, data: DataFacts, label: int) -> NDArray[np.int64] | None:
    """Return those of the numbers of texts that belong to the sentences of one class."""
    return None if groups is None else groups[np.array(data.test_labels) == label]
