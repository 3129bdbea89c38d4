"""Labels: whole numbers, strings or booleans of a column as class numbers 0 … C-1, with class names."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from freezebench.data.class_names import class_names
from freezebench.data.classes import check_known, with_model_names
from freezebench.data.missing_labels import NUMBER
from freezebench.data.values import MAX_NAME_CHARS, kind_name, label_list, short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.columns import Columns
    from freezebench.data.table import Table

Label = bool | int | str

# Digits after a 0 make a code, such as 007.
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,299})(\.0*)?", re.ASCII)
# transformers generates these class names for a model that has none.
_GENERATED_NAME = re.compile(r"LABEL_[0-9]+", re.IGNORECASE)
_MIN_CLASSES = 2
_MAX_SPELLINGS = 3


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Class numbers of every split.

    Attributes:
        numbers: Class number of every row, by split.
        names: Name of every class.
        notes: How labels became class numbers, in sentences.
    """

    numbers: Mapping[str, tuple[int, ...]]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_labels(columns: Mapping[str, Columns], label_names: Sequence[str] | None) -> Labels:
    """Return class numbers and names.

    Whole numbers 0 … C-1 stay. Other whole numbers and strings become classes in sorted order; strings take the model's
    order if it names all of them.

    Args:
        columns: Columns by split, ``train`` among them.
        label_names: The model's class names (``id2label``), matched without regard to case.

    Raises:
        DataError: If labels are missing, unusable, of one class, or never occur in train.
    """
    labels = _read_labels(columns, label_names)
    note = _spelling_note(columns, labels.numbers)
    return replace(labels, notes=(*labels.notes, note)) if note else labels


def _read_labels(columns: Mapping[str, Columns], label_names: Sequence[str] | None) -> Labels:
    raw = {split: _checked_labels(split_columns) for split, split_columns in columns.items()}
    values = _with_numbers(columns, raw)
    kind = _common_kind(columns, values)
    model_names = informative(label_names)
    # A fine-tuned model has an output per class in its own order, which a sorted order would permute.
    matched = _matched(raw, model_names)
    if matched is not None:
        _check_classes(columns, matched, sorted(set(map(str, matched["train"]))))
        note = "Labels were matched to the model's own class names."
        return Labels(numbers=_class_numbers(matched, model_names), names=model_names, notes=(note,))
    if kind is str:
        strings = {split: [str(label) for label in labels] for split, labels in raw.items()}
        classes = sorted(set(strings["train"]))
        _check_classes(columns, strings, classes)
        note = f"Labels became class numbers in sorted order: {label_list(classes)}."
        return Labels(numbers=_class_numbers(strings, classes), names=tuple(classes), notes=(note,))
    numbers = {split: list(map(int, labels)) for split, labels in values.items()}
    _check_classes(columns, numbers, sorted(set(numbers["train"])))
    return _numbered(columns, numbers, model_names, is_bool=kind is bool)


def _spelling_note(columns: Mapping[str, Columns], numbers: Mapping[str, Sequence[int]]) -> str | None:
    """Return a note if strings that differ became one class."""
    spellings: dict[int, set[str]] = {}
    for split, part in columns.items():
        for label, number in set(zip(part.labels, numbers[split], strict=True)):
            if isinstance(label, str):
                spellings.setdefault(number, set()).add(label)
    several = next((sorted(own) for own in spellings.values() if len(own) > 1), None)
    if several is None:
        return None
    examples = ", ".join(map(short, several[:_MAX_SPELLINGS]))
    return f"Labels that differ only in case or in the space around them count as one, such as {examples}."


def informative(label_names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the model's class names; none if all are generated."""
    names = tuple(str(name) for name in label_names or ())
    return () if all(_GENERATED_NAME.fullmatch(name) for name in names) else names


def _matched(raw: Mapping[str, list[Label]], model_names: tuple[str, ...]) -> dict[str, list[Label]] | None:
    """Return the labels under the model's names; ``None`` unless it names every label that occurs in train."""
    matched = with_model_names({split: [labels] for split, labels in raw.items()}, model_names)
    return None if matched is None else {split: rows[0] for split, rows in matched.items()}


def _checked_labels(columns: Columns) -> list[Label]:
    """Return the labels of one split; whole floats become whole numbers, strings lose the space around them.

    Raises:
        DataError: If a label is a fraction, or too long for one.
    """
    return [_checked_label(columns.table, row, value) for row, value in enumerate(columns.labels)]


def _checked_label(table: Table, row: int, value: object) -> Label:
    if isinstance(value, str) and len(value) > MAX_NAME_CHARS:
        raise DataError(
            f"{table.location(row)}: the label has {len(value):,} characters, more than {MAX_NAME_CHARS}. "
            "Set --freeze-label-column to the column of the labels."
        )
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float):
        if not value.is_integer():
            raise _fraction_error(table, row, value)
        return int(value)
    if isinstance(value, int):  # booleans too
        return value
    raise TypeError(f"{table.location(row)}: the label should have been refused as {kind_name(value)}")


def _with_numbers(columns: Mapping[str, Columns], raw: Mapping[str, list[Label]]) -> dict[str, list[Label]]:
    """Return the labels, strings of formats without types as whole numbers if all of them are.

    Raises:
        DataError: If all are numbers, some with fractions.
    """
    untyped = [split for split, part in columns.items() if not part.table.is_typed]
    texts = {str(label) for split in untyped for label in raw[split]}
    typed_strings = any(isinstance(label, str) for split in raw if split not in untyped for label in set(raw[split]))
    if typed_strings or not texts or not all(NUMBER.fullmatch(text) for text in texts):
        return dict(raw)
    fraction = next((text for text in sorted(texts) if not float(text).is_integer()), None)
    if fraction is not None:
        split, row = next((split, raw[split].index(fraction)) for split in untyped if fraction in raw[split])
        raise _fraction_error(columns[split].table, row, fraction)
    # Two spellings of one number are two labels: to merge them would be a guess.
    if not all(_WHOLE.fullmatch(text) for text in texts) or len(set(map(_whole_number, texts))) < len(texts):
        return dict(raw)
    return {split: list(map(_whole_number, labels)) if split in untyped else labels for split, labels in raw.items()}


def _common_kind(columns: Mapping[str, Columns], raw: Mapping[str, list[Label]]) -> type:
    """Return the type that all labels have: ``bool``, ``int`` or ``str``.

    Raises:
        DataError: If they have several types.
    """
    first: dict[type, tuple[str, int, Label]] = {}
    for split, labels in raw.items():
        kinds = list(map(type, labels))
        for kind in sorted(set(kinds), key=kinds.index):
            row = kinds.index(kind)
            first.setdefault(kind, (split, row, labels[row]))
    if len(first) > 1:
        two = " and ".join(
            f"{kind_name(label)} {short(label)} ({columns[split].table.location(row)})"
            for split, row, label in list(first.values())[:2]
        )
        raise DataError(f"labels are of two kinds: {two}. Use one kind throughout.")
    return next(iter(first))


def _fraction_error(table: Table, row: int, label: object) -> DataError:
    return DataError(
        f"{table.location(row)}: the label {short(label)} is not a whole number, and classes are whole numbers or "
        "names. Correct it, or use --freeze-task=regression where all labels are numbers."
    )


def _whole_number(label: Label) -> int:
    """Return a label such as ``2`` or ``2.0`` as a whole number."""
    return int(str(label).partition(".")[0])


def _check_classes(
    columns: Mapping[str, Columns], values: Mapping[str, Sequence[Label]], classes: Sequence[Label]
) -> None:
    """Check that there are two classes or more and that every one occurs in train.

    Raises:
        DataError: If train has one class, or another split has a label that train lacks.
    """
    train = columns["train"]
    if len(classes) < _MIN_CLASSES:
        raise DataError(
            f"{train.table.name}: every label in column {train.label_column!r} is {short(classes[0])}. "
            "Add examples of another class, or set --freeze-label-column to another column."
        )
    check_known(columns, {split: zip(labels, strict=True) for split, labels in values.items()}, classes)


def _class_numbers(values: Mapping[str, Sequence[Label]], classes: Sequence[Label]) -> dict[str, tuple[int, ...]]:
    number_of = {label: number for number, label in enumerate(classes)}
    return {split: tuple(number_of[label] for label in labels) for split, labels in values.items()}


def _numbered(
    columns: Mapping[str, Columns], values: Mapping[str, list[int]], model_names: tuple[str, ...], *, is_bool: bool
) -> Labels:
    """Return labels that are whole numbers or booleans."""
    classes = sorted(set(values["train"]))
    notes: tuple[str, ...] = ()
    if classes != list(range(len(classes))):
        notes = (f"Labels {label_list(classes)} became classes 0 to {len(classes) - 1}.",)
    names, name_notes = (("False", "True"), ()) if is_bool else class_names(columns, values, classes, model_names)
    return Labels(numbers=_class_numbers(values, classes), names=names, notes=notes + name_notes)
