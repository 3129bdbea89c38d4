"""Facts of a data set that records keep: sizes, hashes, balance, lengths and overlaps, but no sentence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from freezebench.data.parts import normalised
from freezebench.records.run_record import DataFacts, SplitFacts

if TYPE_CHECKING:
    from freezebench.data.load import Split, TextData

_LONGEST = 200  # words; the tail of a histogram says nothing but that there is one


def data_facts(data: TextData) -> DataFacts:
    """Return what a record keeps of a data set."""
    trained = {normalised(texts) for texts in data.train.texts}
    return DataFacts(
        num_train=len(data.train),
        num_validation=len(data.validation),
        num_test=len(data.test),
        train_sha256=data.train.sha256,
        validation_sha256=data.validation.sha256,
        test_sha256=data.test.sha256,
        test_labels=data.test.labels,
        label_names=data.label_names,
        notes=data.notes,
        generated=data.generated,
        splits={
            "train": _split_facts(data.train, data.num_labels, set()),
            "validation": _split_facts(data.validation, data.num_labels, trained),
            "test": _split_facts(data.test, data.num_labels, trained),
        },
    )


def _split_facts(split: Split, num_labels: int, trained: set[tuple[str, ...]]) -> SplitFacts:
    """Return what one split looks like beside the texts that are trained on."""
    labels = Counter(split.labels)
    lengths = Counter(min(sum(len(text.split()) for text in texts), _LONGEST) for texts in split.texts)
    keys = [normalised(texts) for texts in split.texts]
    return SplitFacts(
        class_counts=tuple(labels[label] for label in range(num_labels)),
        word_counts=tuple(lengths[length] for length in range(max(lengths, default=0) + 1)),
        num_in_train=sum(key in trained for key in keys),
        num_repeated=len(keys) - len(set(keys)),
    )
