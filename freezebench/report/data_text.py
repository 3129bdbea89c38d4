"""What data sets hold, in words: sizes, what an interval counts, classes or numbers, dropped rows."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING

from freezebench.units import distinct_text, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.data_facts import DataFacts, SetFacts
    from freezebench.records.run_record import RunRecord
    from freezebench.specs.names import TaskName

# What the rows of a task's labels are of, one and several.
_OUTPUTS: dict[TaskName, tuple[str, str]] = {
    "sequence-classification": ("class", "classes"),
    "regression": ("number", "numbers"),
    "multi-label": ("label", "labels"),
    "token-classification": ("class of words", "classes of words"),
}
_MOST_CLASSES = 8
# How the notes begin on what may make a comparison worthless.
WARNINGS = ("Classes to check: ", "Labels to check: ", "Leakage: ", "Leakage of groups: ")
_ROWS = {
    "unreadable": "could not be read",
    "no_text": "without a text",
    "bad_text": "with a bad text",
    "no_label": "without a label",
    "bad_label": "with a bad label",
}


def outputs_text(num: int, task: TaskName) -> str:
    """Return how many classes, labels or numbers a task has: ``3 classes``, ``1 number``."""
    one, several = _OUTPUTS[task]
    return f"{num} {one if num == 1 else several}"


def classes_text(facts: DataFacts) -> str:
    """Return how many classes there are, each with its number of examples in all splits; alike for labels."""
    text = outputs_text(len(facts.label_names), facts.task)
    counts = [split.class_counts for split in (facts.splits or {}).values()]
    if facts.task == "regression" or not counts:
        return text
    sums = map(sum, zip(*counts, strict=True))
    classes = [f"{name} {num:,}" for name, num in zip(facts.label_names, sums, strict=True)]
    return f"{text} ({listed(classes, _MOST_CLASSES)})"


def data_warnings(facts: DataFacts) -> list[str]:
    """Return the notes on the data that should be read before anything trains, further test sets included."""
    notes = [*facts.notes, *(note for item in facts.test_sets for note in item.notes)]
    return [note for note in notes if note.startswith(WARNINGS)]


def outputs_word(task: TaskName) -> str:
    """Return what a task has several of: ``classes``, ``labels``, ``numbers``."""
    return _OUTPUTS[task][1]


def size_text(facts: DataFacts | SetFacts, group_column: str | None, noun: str = "test sentences") -> str:
    """Return the size of a test set, and what an interval counts of it where that is fewer: texts, or groups.

    Args:
        facts: The test set.
        group_column: Column whose values say which sentences belong together; ``None``: those of one text do.
        noun: What it has several of.
    """
    num_units = facts.num_test if facts.test_groups is None else len(set(facts.test_groups))
    return distinct_text(facts.num_test, num_units, noun, None if facts.test_groups is None else group_column)


def size_of_run(record: RunRecord, noun: str = "test sentences") -> str:
    """Return the size of the test set of a run that has the facts of its data."""
    if record.data is None:
        raise TypeError("only a run whose data were read has a test set")
    return size_text(record.data, record.spec.data.group_column, noun)


def units_of_run(record: RunRecord) -> str:
    """Return what an interval counts on the test set of a run: ``test sentences``, or ``test groups (product)``."""
    column = record.spec.data.group_column
    is_grouped = record.data is not None and record.data.test_groups is not None
    return f"test groups ({column})" if column is not None and is_grouped else "test sentences"


def slice_sizes(facts: DataFacts) -> list[str]:
    """Return the slices of the test split with their sizes, ``film (120)``; none where it has no slices."""
    numbers = Counter(facts.test_slices or ())
    return [f"{name} ({numbers[number]:,})" for number, name in enumerate(facts.slice_names)]


def values_text(values: tuple[float, ...]) -> str:
    """Return mean, standard deviation and range of numbers; how they are distributed decides what an error means."""
    if not values:
        return "none"
    spread = statistics.pstdev(values)
    return f"mean {statistics.fmean(values):.3g}, standard deviation {spread:.3g}, {min(values):g} to {max(values):g}"


def dropped_text(facts: DataFacts) -> str | None:
    """Return how many rows were left out, by split and kind; ``None`` if none were."""
    if not facts.dropped_rows:
        return None
    splits = []
    for split, kinds in facts.dropped_rows.items():
        counts = ", ".join(f"{num:,} {_ROWS.get(kind, kind)}" for kind, num in kinds.items() if num)
        splits += [f"{split}: {counts}"] if counts else []
    return "; ".join(splits) or None


def share_texts(facts: DataFacts, counts: Sequence[int], num_sentences: int) -> list[str]:
    """Return counts with their shares: of all of them, or of the sentences, which may have several labels."""
    total = num_sentences if facts.task == "multi-label" else sum(counts)
    return [f"{count:,} ({100 * count / max(total, 1):.1f} %)" for count in counts]


def label_counts(facts: DataFacts, test: SetFacts) -> list[int]:
    """Return how many sentences of a test set have every class or label; of words in token classification."""
    if facts.task == "multi-label":
        names = len(facts.label_names)
        return [sum(test.test_labels[label::names]) for label in range(names)]
    counts = Counter(test.test_labels)
    return [counts[label] for label in range(len(facts.label_names))]
