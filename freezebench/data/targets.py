"""Targets: texts and labels as the task of a data set has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freezebench.data.labels import informative, read_labels
from freezebench.data.missing_labels import label_faults
from freezebench.data.multi_label import find_layout, multi_label_faults, read_multi_labels
from freezebench.data.numbers import number_faults, read_numbers
from freezebench.data.tags import read_tags, read_words, word_faults
from freezebench.data.texts import read_texts, text_faults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.bad_rows import Kind
    from freezebench.data.columns import Columns
    from freezebench.specs.names import TaskName

Faults = dict[int, tuple["Kind", str]]


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Texts and labels of every split, as ``Split`` has them.

    Attributes:
        texts: Texts of every example by split, or its words.
        labels: Label of every example by split.
        names: Name of every class or label; that of the column in regression.
        notes: How labels were read, in sentences.
    """

    texts: Mapping[str, tuple[tuple[str, ...], ...]]
    labels: Mapping[str, tuple[Any, ...]]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def row_faults(task: TaskName, columns: Mapping[str, Columns], label_names: Sequence[str] | None) -> dict[str, Faults]:
    """Return kind and fault of every row that the task cannot use, by split and row number.

    A row is counted once: by its text if both are bad.

    Raises:
        DataError: If several labels are not written in any known way.
    """
    names = informative(label_names)
    if task == "token-classification":
        return {split: word_faults(part) for split, part in columns.items()}
    if task == "regression":
        labels = {split: number_faults(part) for split, part in columns.items()}
    elif task == "multi-label":
        layout = find_layout(columns, names)
        labels = {split: multi_label_faults(part, layout) for split, part in columns.items()}
    else:
        labels = label_faults(columns, names)
    return {split: {**labels[split], **text_faults(part)} for split, part in columns.items()}


def read_targets(task: TaskName, columns: Mapping[str, Columns], label_names: Sequence[str] | None) -> Targets:
    """Return texts and labels of rows that have been checked.

    Args:
        task: What is learned.
        columns: Columns by split, ``train`` among them.
        label_names: The model's class names (``id2label``).

    Raises:
        DataError: If labels are of one class, of several kinds, or never occur in train.
    """
    names = informative(label_names)
    if task == "token-classification":
        tags, classes, notes = read_tags(columns, names)
        return Targets(texts=read_words(columns), labels=tags, names=classes, notes=notes)
    texts = read_texts(columns)
    if task == "regression":
        numbers, note = read_numbers(columns)
        return Targets(texts=texts, labels=numbers, names=(columns["train"].label_column,), notes=(note,))
    if task == "multi-label":
        vectors, classes, notes = read_multi_labels(columns, find_layout(columns, names), names)
        return Targets(texts=texts, labels=vectors, names=classes, notes=notes)
    labels = read_labels(columns, label_names)
    return Targets(texts=texts, labels=labels.numbers, names=labels.names, notes=labels.notes)
