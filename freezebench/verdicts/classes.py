"""What runs predict of each class: recall, macro F1, and classes that are never predicted."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from freezebench.records.consistency import f1_by_class
from freezebench.records.run_record import data_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import RunRecord

_RARE = 0.2
_ONE_CLASS_EACH = ("sequence-classification", "token-classification")


def class_name(data: DataFacts, label: int) -> str:
    """Return how sentences call a class: ``class positive``."""
    return f"class {label_name(data, label)}"


def label_name(data: DataFacts, label: int) -> str:
    """Return the name of a class or label, or its number where it has none."""
    names = data.label_names
    return names[label] if 0 <= label < len(names) else str(label)


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
    """Return the class that a run predicts for every test sentence, or word; ``None`` if it predicts several."""
    if record.test is None or (record.data is not None and record.data.task not in _ONE_CLASS_EACH):
        return None
    predicted = set(record.test.predictions)
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


def _correct(records: Sequence[RunRecord], label: int) -> NDArray[np.bool_]:
    """Return whether the sentences of one class were classified correctly, shape (runs, sentences of the class)."""
    data = data_of(records)
    if data is None:
        return np.zeros((0, 0), dtype=np.bool_)
    correct = np.array([record.test_correct for record in records if record.test], dtype=np.bool_)
    return correct[:, np.array(data.test_labels) == label]
