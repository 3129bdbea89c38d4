"""Facts of a data set that records keep: sizes, hashes, balance, lengths and overlaps, but no sentence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from freezebench.records.data_facts import DataFacts, SplitFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.splits import Split, Splits

# The last bin of the histogram of words per example; longer examples count there.
_MAX_WORDS = 200

# The texts of an example as they are compared: white space and case aside.
_Key = tuple[str, ...]


def data_facts(
    splits: Splits,
    label_names: Sequence[str],
    notes: Sequence[str],
    dropped_rows: dict[str, dict[str, int]] | None = None,
) -> DataFacts:
    """Return the facts of a data set, with notes on examples that occur in more than one split.

    Args:
        splits: The data set.
        label_names: Name of every class.
        notes: What was done to the data, in sentences.
        dropped_rows: Number of rows that were left out, by split and kind.
    """
    by_name = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    # A test sentence that is also trained on makes the test easier, even if only its spelling differs.
    keys = {name: [_key(texts) for texts in split.texts] for name, split in by_name.items()}
    trained = set(keys["train"])
    facts = {
        name: _split_facts(split, keys[name], len(label_names), set() if name == "train" else trained)
        for name, split in by_name.items()
    }
    return DataFacts(
        num_train=len(splits.train),
        num_validation=len(splits.validation),
        num_test=len(splits.test),
        train_sha256=splits.train.sha256,
        validation_sha256=splits.validation.sha256,
        test_sha256=splits.test.sha256,
        test_labels=splits.test.labels,
        label_names=tuple(label_names),
        notes=(*notes, *_overlap_notes(facts), *_contradiction_notes(by_name, keys)),
        splits=facts,
        test_groups=_groups(keys["test"]),
        dropped_rows=dropped_rows,
    )


def _groups(keys: Sequence[_Key]) -> tuple[int, ...] | None:
    """Return the number of every example's text, in the order of their first examples; ``None`` if none repeats."""
    numbers: dict[_Key, int] = {}
    groups = tuple(numbers.setdefault(key, len(numbers)) for key in keys)
    return groups if len(numbers) < len(keys) else None


def _split_facts(split: Split, keys: Sequence[_Key], num_labels: int, trained: set[_Key]) -> SplitFacts:
    """Return the facts of one split, compared with the texts that are trained on."""
    labels = Counter(split.labels)
    lengths = Counter(min(sum(len(text.split()) for text in texts), _MAX_WORDS) for texts in split.texts)
    return SplitFacts(
        class_counts=tuple(labels[label] for label in range(num_labels)),
        word_counts=tuple(lengths[length] for length in range(max(lengths, default=0) + 1)),
        num_in_train=sum(key in trained for key in keys),
        num_repeated=len(keys) - len(set(keys)),
    )


def _overlap_notes(facts: dict[str, SplitFacts]) -> list[str]:
    """Return notes on test and validation examples that are also trained on, and on repeated ones in train and test."""
    notes = []
    for name in ("test", "validation"):
        count, size = facts[name].num_in_train, sum(facts[name].class_counts)
        if count:
            notes.append(
                f"Leakage: {count} of {size} {name} examples ({100 * count / size:.1f} %) "
                "also occur in train, white space and case aside."
            )
    train = facts["train"]
    if train.num_repeated:
        notes.append(f"{train.num_repeated} of {sum(train.class_counts)} train examples repeat another one's text.")
    test = facts["test"]
    if test.num_repeated:
        size = sum(test.class_counts)
        notes.append(
            f"Repeats: {test.num_repeated} of {size} test examples repeat another one's text, white space and case "
            f"aside. Intervals count the {size - test.num_repeated} distinct texts."
        )
    return notes


def _contradiction_notes(splits: Mapping[str, Split], keys: Mapping[str, Sequence[_Key]]) -> list[str]:
    """Return a note on every split in which one text has several labels."""
    notes = []
    for name, split in splits.items():
        labels: dict[_Key, set[int]] = {}
        for key, label in zip(keys[name], split.labels, strict=True):
            labels.setdefault(key, set()).add(label)
        count = sum(len(own) > 1 for own in labels.values())
        if count:
            texts = "1 text has" if count == 1 else f"{count} texts have"
            notes.append(f"Contradictory labels: {texts} more than one label within {name}. Correct or remove them.")
    return notes


def _key(texts: tuple[str, ...]) -> _Key:
    return tuple(" ".join(text.split()).casefold() for text in texts)
