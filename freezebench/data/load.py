"""Text data with labels, read in one pipeline.

Each stage is a function from a value to the next, in a module of its own:

    DataSpec ── read ──► Tables ── columns, usable ──► Columns ── texts, labels ──► Split of each ── splits ──► Splits
                                                                                                                  │
                                                                                                        facts ◄───┘

Notes in plain sentences, on what each stage did, are collected on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freezebench.data.columns import select_columns
from freezebench.data.facts import data_facts
from freezebench.data.labels import read_labels
from freezebench.data.read import read_tables
from freezebench.data.splits import Origin, Split, make_splits
from freezebench.data.task import FURTHER, resolve_task
from freezebench.data.texts import read_texts
from freezebench.data.usable import usable_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.records.data_facts import DataFacts
    from freezebench.specs.data import DataSpec
    from freezebench.specs.names import TaskName


@dataclass(frozen=True, kw_only=True)
class TextData:
    """A data set of texts with labels.

    Attributes:
        source: The data set's name, as in the spec.
        task: What is learned.
        train: Training examples.
        validation: Examples that the best epoch is chosen on.
        test: Examples that verdicts are based on.
        facts: Sizes, hashes, balance and overlaps, and notes on what was done to the data.
        further: The further test sets by name.
    """

    source: str
    task: TaskName
    train: Split
    validation: Split
    test: Split
    facts: DataFacts
    further: Mapping[str, Split] = field(default_factory=dict)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Name of every class or label; that of the column in regression."""
        return self.facts.label_names

    @property
    def num_labels(self) -> int:
        """Number of classes or labels, which is that of the model's outputs; 1 in regression."""
        return len(self.facts.label_names)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the data, in sentences."""
        return self.facts.notes

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by name; further test sets are called ``test:NAME``."""
        own = {"train": self.train, "validation": self.validation, "test": self.test}
        return own | {f"{FURTHER}{name}": split for name, split in self.further.items()}

    @property
    def num_examples(self) -> dict[str, int]:
        """Number of examples by split."""
        return {name: len(split) for name, split in self.splits.items()}


def load_data(
    spec: DataSpec, *, label_names: Sequence[str] | None = None, model_task: TaskName | None = None
) -> TextData:
    """Return the data set that a spec names.

    Local files are read without the network. torch is not imported.

    Args:
        spec: What to read.
        label_names: The model's class names (``id2label``), to which labels that are strings are matched.
        model_task: The task that the model's head was fine-tuned for; ``None``: the data say what is learned.

    Raises:
        DataError: If the data set is missing, unreadable, or unfit for the task.
    """
    tables, read_notes, origin = read_tables(spec)
    # Only the Hub's data sets are dropped splits of: a user can correct local files.
    columns, column_notes = select_columns(spec, tables, drop_unlabelled=origin == "hub")
    task, task_note = resolve_task(spec.task, model_task, columns)
    columns, dropped, row_notes = usable_rows(spec, columns, label_names)
    texts = read_texts(columns)
    labels = read_labels(columns, label_names)
    given = {
        name: Split(texts=texts[name], labels=labels.numbers[name], origin=Origin(columns[name].table), task=task)
        for name in columns
    }
    splits = make_splits(spec, given)
    told = () if task_note is None else (task_note,)
    notes = (*read_notes, *column_notes, *told, *row_notes, *labels.notes, *splits.notes)
    facts = data_facts(splits, labels.names, notes, dropped)
    return TextData(
        source=spec.source, task=task, train=splits.train, validation=splits.validation, test=splits.test, facts=facts
    )
