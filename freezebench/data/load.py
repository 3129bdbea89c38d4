"""Text data with labels, read in one pipeline.

Each stage is a function from a value to the next, in a module of its own:

    DataSpec ── read, further ──► Tables ── columns, task, usable ──► Columns ── targets ──► Split of each
                                                                                                   │
                                                                   facts ◄── Splits ◄── splits ────┘

Notes in plain sentences, on what each stage did, are collected on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from freezebench.data.columns import select_columns, with_word_columns
from freezebench.data.facts import data_facts
from freezebench.data.further import read_further
from freezebench.data.groups import NO_SLICE, category
from freezebench.data.label_lists import find_separator, with_label_lists
from freezebench.data.label_notes import separator_notes
from freezebench.data.read import read_tables
from freezebench.data.splits import Origin, Split, make_splits
from freezebench.data.targets import read_targets
from freezebench.data.task import FURTHER, check_further, resolve_task
from freezebench.data.usable import usable_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.columns import Columns
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
        return (*self.facts.notes, *(note for item in self.facts.test_sets for note in item.notes))

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
    own = with_word_columns(spec, tables["train"])
    separator = find_separator(own, tables["train"])
    tables = {name: with_label_lists(table, own.label_column, separator) for name, table in tables.items()}
    # Only the Hub's data sets are dropped splits of: a user can correct local files.
    columns, column_notes = select_columns(own, tables, drop_unlabelled=origin == "hub")
    further, further_notes = read_further(spec, columns["train"], separator)
    task, task_note = resolve_task(spec.task, model_task, columns)
    check_further(spec, task, further)
    columns, dropped, row_notes = usable_rows(own, columns | further, label_names, task)
    targets = read_targets(task, columns, label_names)
    given = {name: _split(part, task, targets.texts[name], targets.labels[name]) for name, part in columns.items()}
    splits = make_splits(own, {name: split for name, split in given.items() if name not in further})
    task_notes = () if task_note is None else (task_note,)
    list_notes = separator_notes(separator, targets.names)
    notes = (*read_notes, *column_notes, *task_notes, *row_notes, *list_notes, *targets.notes, *splits.notes)
    test_sets = {item.name: given[f"{FURTHER}{item.name}"] for item in spec.test_sets}
    facts = data_facts(own, splits, targets.names, notes, dropped, test_sets=test_sets, test_notes=further_notes)
    return TextData(
        source=spec.source,
        task=task,
        train=splits.train,
        validation=splits.validation,
        test=splits.test,
        facts=facts,
        further=test_sets,
    )


def _split(columns: Columns, task: TaskName, texts: tuple[tuple[str, ...], ...], labels: tuple[Any, ...]) -> Split:
    """Return a split with its slices and groups as text."""
    names = columns.table.class_names
    slices = [category(value, names.get(columns.slice_column, ())) for value in columns.slices]
    groups = [category(value, names.get(columns.group_column, ())) for value in columns.groups]
    return Split(
        texts=texts,
        labels=labels,
        origin=Origin(columns.table),
        task=task,
        slices=tuple(value or NO_SLICE for value in slices) or None,
        groups=tuple(groups) or None,
    )
