"""Text data for classification, read in one pipeline.

Each stage is a function from a value to the next, in a module of its own:

    DataSpec ── read ──► Tables ── columns, usable ──► Columns ── texts, labels ──► Split of each ── splits ──► Splits
                                                                                                                  │
                                                                                                        facts ◄───┘

Notes in plain sentences, on what each stage did, are collected on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.data.columns import select_columns
from freezebench.data.facts import data_facts
from freezebench.data.labels import read_labels
from freezebench.data.read import read_tables
from freezebench.data.splits import Origin, Split, make_splits
from freezebench.data.texts import read_texts
from freezebench.data.usable import usable_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.data_facts import DataFacts
    from freezebench.specs.data import DataSpec


@dataclass(frozen=True, kw_only=True)
class TextData:
    """A data set for text classification.

    Attributes:
        source: The data set's name, as in the spec.
        train: Training examples.
        validation: Examples that the best epoch is chosen on.
        test: Examples that verdicts are based on.
        facts: Sizes, hashes, balance and overlaps, and notes on what was done to the data.
    """

    source: str
    train: Split
    validation: Split
    test: Split
    facts: DataFacts

    @property
    def label_names(self) -> tuple[str, ...]:
        """Name of every class."""
        return self.facts.label_names

    @property
    def num_labels(self) -> int:
        """Number of classes."""
        return len(self.facts.label_names)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the data, in sentences."""
        return self.facts.notes

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def num_examples(self) -> dict[str, int]:
        """Number of examples by split."""
        return {name: len(split) for name, split in self.splits.items()}


def load_data(spec: DataSpec, *, label_names: Sequence[str] | None = None) -> TextData:
    """Return the data set that a spec names.

    Local files are read without the network. torch is not imported.

    Args:
        spec: What to read.
        label_names: The model's class names (``id2label``), to which labels that are strings are matched.

    Raises:
        DataError: If the data set is missing, unreadable, or unfit for classification.
    """
    tables, read_notes, origin = read_tables(spec)
    # Only the Hub's data sets are dropped splits of: a user can correct local files.
    columns, column_notes = select_columns(spec, tables, drop_unlabelled=origin == "hub")
    columns, dropped, row_notes = usable_rows(spec, columns, label_names)
    texts = read_texts(columns)
    labels = read_labels(columns, label_names)
    given = {
        name: Split(texts=texts[name], labels=labels.numbers[name], origin=Origin(columns[name].table))
        for name in columns
    }
    splits = make_splits(spec, given)
    notes = (*read_notes, *column_notes, *row_notes, *labels.notes, *splits.notes)
    facts = data_facts(splits, labels.names, notes, dropped)
    return TextData(source=spec.source, train=splits.train, validation=splits.validation, test=splits.test, facts=facts)
