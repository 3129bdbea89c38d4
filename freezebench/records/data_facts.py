"""Facts of a data set, as a record keeps them: sizes, hashes and statistics, without its texts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import sha256
from typing import Self

from freezebench.errors import UnknownNameError
from freezebench.specs.fields import brief
from freezebench.specs.names import TaskName  # noqa: TC001 - the annotations are read, see specs.typed
from freezebench.specs.typed import typed_fields
from freezebench.units import did_you_mean


@dataclass(frozen=True, kw_only=True)
class SplitFacts:
    """Statistics of one split, without its texts.

    Attributes:
        class_counts: Number of sentences of every class; of words in token classification; of several labels, number of
            sentences that have each; empty in regression.
        word_counts: Number of sentences of 0, 1, 2, … words; the last entry includes all longer ones.
        num_in_train: Number of sentences that also occur in train, ignoring white space and case; 0 for train itself.
        num_repeated: Number of sentences that repeat an earlier one of the split.
        constant_loss: Mean loss on this split of the best constant prediction, which follows from the training labels;
            infinite if a class of the split is missing in training; ``None``: not computed.
    """

    class_counts: tuple[int, ...]
    word_counts: tuple[int, ...]
    num_in_train: int
    num_repeated: int
    constant_loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class SetFacts:
    """One test set, as verdicts need it: the data set's own one, or a further one.

    Attributes:
        name: Its name; empty for the data set's own one.
        source: Its data set.
        num_test: Number of its sentences.
        test_sha256: Content hash of its texts and labels.
        test_labels: True class number of every sentence, or of every word in token classification; of several labels 0
            or 1 for each, sentence by sentence; empty in regression.
        test_values: True number of every sentence in regression; ``None`` for other tasks.
        test_lengths: Number of words of every sentence in token classification; ``None`` for other tasks.
        test_groups: A number for every sentence. Sentences of one number have one text, or are of one group, and are
            one unit of the interval. ``None``: each is a unit by itself.
        test_slices: Number of every sentence's slice; ``None``: there are no slices.
        slice_names: Name of every slice.
        notes: How its data were changed when they were read, in sentences.
    """

    name: str = ""
    source: str = ""
    num_test: int
    test_sha256: str
    test_labels: tuple[int, ...]
    test_values: tuple[float, ...] | None = None
    test_lengths: tuple[int, ...] | None = None
    test_groups: tuple[int, ...] | None = None
    test_slices: tuple[int, ...] | None = None
    slice_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def num_rows(self) -> int:
        """Number of its sentences, or of their words in token classification."""
        return self.num_test if self.test_lengths is None else sum(self.test_lengths)


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """The data set of a run.

    Attributes:
        num_train: Number of training sentences.
        num_validation: Number of validation sentences.
        num_test: Number of test sentences.
        train_sha256: Content hash of the texts and labels of the training split.
        validation_sha256: The same of the validation split.
        test_sha256: The same of the test split.
        test_labels: True class number of every test sentence; ``SetFacts`` says what other tasks have.
        label_names: Name of every class or label; one name in regression, that of the column.
        notes: How the data were changed when they were read, in sentences.
        splits: Statistics of every split, by name; ``None`` in records of versions that did not compute them.
        test_groups: A number for every test sentence. Sentences of one number have one text, white space and case
            aside, or are of one group. ``None``: all differ, or the version did not look.
        dropped_rows: Number of rows that ``--freeze-bad-rows=drop`` left out, by split of the files and kind:
            ``unreadable``, ``no_text``, ``bad_text``, ``no_label``, ``bad_label``. ``None``: none.
        task: What is learned.
        test_values: True number of every test sentence in regression; ``None`` for other tasks.
        test_lengths: Number of words of every test sentence in token classification; ``None`` for other tasks.
        test_slices: Number of every test sentence's slice; ``None``: there are no slices.
        slice_names: Name of every slice.
        test_sets: The further test sets.
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
    task: TaskName = "sequence-classification"
    test_values: tuple[float, ...] | None = None
    test_lengths: tuple[int, ...] | None = None
    test_slices: tuple[int, ...] | None = None
    slice_names: tuple[str, ...] = ()
    test_sets: tuple[SetFacts, ...] = ()

    def of_test_set(self, name: str = "") -> SetFacts:
        """Return the facts of a test set; the empty name is that of the data set's own one.

        Args:
            name: Name of a further test set; empty: the data set's own one.

        Raises:
            UnknownNameError: If there is none of this name.
        """
        if not name:
            own = {item.name: getattr(self, item.name) for item in fields(SetFacts) if hasattr(self, item.name)}
            return SetFacts(**own)
        found = next((item for item in self.test_sets if item.name == name), None)
        if found is None:
            names = tuple(item.name for item in self.test_sets)
            raise UnknownNameError(f"there is no test set {brief(name)}.{did_you_mean(name, names)}")
        return found

    @cached_property  # every run looks them up several times, and groups may be many
    def content_hashes(self) -> dict[str, str]:
        """Content hashes of what a run reads, by name: splits, further test sets, and slices and groups if it has any.

        Slices and groups are no part of the texts that a split's hash is of, but verdicts rest on them.
        """
        hashes = {"train": self.train_sha256, "validation": self.validation_sha256}
        for facts in (self.of_test_set(), *self.test_sets):
            what = f"test:{facts.name}" if facts.name else "test"
            hashes[what] = facts.test_sha256
            parts = (facts.test_slices, facts.slice_names, facts.test_groups)
            if any(parts):
                hashes[f"slices and groups of {what}"] = sha256(json.dumps(parts).encode()).hexdigest()
        return hashes

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

        Args:
            data: The object of the facts, as ``json.loads`` returns it.

        Raises:
            RecordError: If fields are missing, unknown or of another type.
        """
        # Version 0.1 also wrote whether it had generated the sentences, which the name of the data set says as well.
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if name != "generated"}
        return typed_fields(cls, data)


def task_of_data(data: DataFacts | None) -> TaskName:
    """Return the task of a data set; of one that no run has read, ``None``, it is sequence classification."""
    return "sequence-classification" if data is None else data.task
