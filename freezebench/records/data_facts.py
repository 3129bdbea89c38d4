"""Facts of a data set, as a record keeps them: sizes, hashes and statistics, without its texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Self

from freezebench.specs.typed import typed_fields


@dataclass(frozen=True, kw_only=True)
class SplitFacts:
    """Statistics of one split, without its texts.

    Attributes:
        class_counts: Number of sentences of every class.
        word_counts: Number of sentences of 0, 1, 2, … words; the last entry includes all longer ones.
        num_in_train: Number of sentences that also occur in train, ignoring white space and case; 0 for train itself.
        num_repeated: Number of sentences that repeat an earlier one of the split.
    """

    class_counts: tuple[int, ...]
    word_counts: tuple[int, ...]
    num_in_train: int
    num_repeated: int


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """The data set of a run.

    Attributes:
        num_train: Number of training sentences; ``num_validation`` and ``num_test`` are those of the other splits.
        train_sha256: Content hash of the texts and labels of the training split; likewise for the other splits.
        test_labels: True class number of every test sentence.
        label_names: Name of every class.
        notes: How the data were changed when they were read, in sentences.
        splits: Statistics of every split, by name; ``None`` in records of versions that did not compute them.
        test_groups: Number of the text of every test sentence, white space and case aside: sentences with one number
            repeat each other. ``None``: no text is repeated, or the version did not look.
        dropped_rows: Number of rows that ``--freeze-bad-rows=drop`` left out, by split of the files and kind:
            ``unreadable``, ``no_text``, ``bad_text``, ``no_label``, ``bad_label``. ``None``: none.
    """

    num_train: int
    num_validation: int
    num_test: int
    train_sha256: str
    validation_sha256: str
    test_sha256: str
    test_labels: tuple[int, ...]
    label_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    splits: dict[str, SplitFacts] | None = None
    test_groups: tuple[int, ...] | None = None
    dropped_rows: dict[str, dict[str, int]] | None = None

    @property
    def num_distinct_test(self) -> int:
        """Number of distinct texts among the test sentences, which is what an interval can rest on."""
        return self.num_test if self.test_groups is None else len(set(self.test_groups))

    @property
    def majority_share(self) -> float | None:
        """Share of the most frequent class of the test split: the accuracy of always predicting it; ``None``: empty."""
        return max(Counter(self.test_labels).values()) / len(self.test_labels) if self.test_labels else None

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Return the facts from their JSON form.

        Raises:
            RecordError: If fields are missing, unknown or of another type.
        """
        # Version 0.1 also wrote whether it had generated the sentences, which the name of the data set says as well.
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if name != "generated"}
        return typed_fields(cls, data)
