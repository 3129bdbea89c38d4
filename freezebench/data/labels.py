"""Labels: from whole numbers, strings or booleans in a column to class numbers 0 … C-1 with names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freezebench.data.table import LABEL_TEXT_COLUMN, kind_name, short, unfit
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from freezebench.data.table import Table

_WHOLE = re.compile(r"[+-]?[0-9]{1,300}(\.0*)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
# The names of a model that nobody gave names to: they say nothing.
_NO_NAME = re.compile(r"LABEL_[0-9]+", re.IGNORECASE)
# How data sets write that a label is withheld.
_UNLABELLED = (None, "", -1, -1.0, "-1")
_MANY_LABELS = 8
_MAX_LABEL_CHARS = 200
_MANY_CHARS = 40


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Class numbers of every split.

    Attributes:
        numbers: Class number of every row, by split.
        names: Name of every class.
        notes: What was done, in sentences.
    """

    numbers: Mapping[str, tuple[int, ...]]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_labels(tables: Mapping[str, Table], label_column: str, label_names: Sequence[str] | None) -> Labels:
    """Return the class numbers and names.

    Whole numbers 0 … C-1 stay. Other whole numbers and strings become classes in sorted order; strings take the model's
    order where it names all of them.

    Args:
        tables: Tables by split, ``train`` among them.
        label_column: Column of the labels.
        label_names: The model's class names (``id2label``), matched without regard to case.

    Raises:
        DataError: If labels are missing, unusable, of one class, or never occur in train.
    """
    raw = {split: _checked(table, label_column) for split, table in tables.items()}
    is_bool = _check_one_kind(tables, raw)
    model_names = _useful(label_names)
    matched = _matched(raw, model_names)
    values: dict[str, list[Any]] = {
        split: labels if matched else _whole_numbers(labels, raw) for split, labels in (matched or raw).items()
    }
    present = sorted(set(values["train"]))
    if len(present) < 2:  # noqa: PLR2004 - a class and another one
        raise DataError(
            f"{tables['train'].name}: every label in column {label_column!r} is {short(raw['train'][0])}. "
            "Training needs at least two classes."
        )
    _check_known(tables, values, present)
    if matched:
        note = "Labels were matched to the model's own class names."
        return Labels(numbers=_positions(values, model_names), names=model_names, notes=(note,))
    if isinstance(present[0], str):
        note = f"Labels became class numbers in sorted order: {_listed(present)}."
        return Labels(numbers=_positions(values, present), names=tuple(present), notes=(note,))
    return _numbered(tables, values, present, model_names, is_bool=is_bool)


def _useful(label_names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the model's class names, none if they are placeholders."""
    names = tuple(str(name) for name in label_names or ())
    return () if all(_NO_NAME.fullmatch(name) for name in names) else names


def _matched(raw: Mapping[str, list[Any]], model_names: tuple[str, ...]) -> dict[str, list[Any]] | None:
    """Return the labels under the model's names, if it names every label that occurs in train."""
    by_name = {name.strip().casefold(): name for name in model_names}
    if len(by_name) < len(model_names):
        return None
    named = {
        split: [by_name.get(str(label).casefold(), label) if isinstance(label, str) else label for label in labels]
        for split, labels in raw.items()
    }
    known = set(model_names)
    return named if model_names and all(label in known for label in named["train"]) else None


def _checked(table: Table, label_column: str) -> list[bool | int | str]:
    """Return the labels of one split; whole floats become whole numbers, strings lose the space around them.

    Raises:
        DataError: If the split is unlabelled, or a label is missing, a fraction, or of another type.
    """
    values = table.column(label_column, "--freeze-label-column")
    if _is_unlabelled(values):
        raise DataError(
            f"{table.name} is unlabelled: its column {label_column!r} holds {values[0]!r} everywhere. "
            "Give labels, or leave this split out."
        )
    return [_checked_one(table, row, value) for row, value in enumerate(values)]


def _is_unlabelled(values: Sequence[Any]) -> bool:
    """Return whether no value is a label."""
    return all(not isinstance(value, (bool, list, dict)) and value in _UNLABELLED for value in values)


def without_withheld(tables: Mapping[str, Table], label_column: str) -> tuple[dict[str, Table], tuple[str, ...]]:
    """Return a data set's tables without test and validation splits whose labels are withheld, and notes on them.

    Benchmarks such as GLUE publish test sentences without labels; whoever reads them from the Hub cannot remove them.
    """
    kept = {
        split: table
        for split, table in tables.items()
        if split == "train" or not _is_unlabelled(table.column(label_column, "--freeze-label-column"))
    }
    return kept, tuple(f"The {split} split is unlabelled and is not used." for split in tables if split not in kept)


def _checked_one(table: Table, row: int, value: Any) -> bool | int | str:
    if isinstance(value, str) and len(value) > _MAX_LABEL_CHARS:
        raise DataError(
            f"{table.place(row)}: the label has {len(value):,} characters, more than {_MAX_LABEL_CHARS}. "
            "Set --freeze-label-column to the column of the labels."
        )
    if isinstance(value, str) and (fault := unfit(value)):
        raise DataError(f"{table.place(row)}: the label {fault}. Correct or remove the row.")
    if isinstance(value, str) and value.strip():
        return value.strip()
    if value is None or isinstance(value, str):
        raise DataError(f"{table.place(row)}: the label is missing. Give one, or remove the row.")
    if isinstance(value, float):
        if not value.is_integer():
            raise _no_regression(table, row, value)
        return int(value)
    if isinstance(value, int):  # booleans too
        return value
    raise DataError(f"{table.place(row)}: the label is {kind_name(value)}. Use whole numbers or strings as labels.")


def _check_one_kind(tables: Mapping[str, Table], raw: Mapping[str, list[Any]]) -> bool:
    """Return whether the labels are booleans.

    Raises:
        DataError: If some labels are strings and others numbers, or all are numbers with fractions.
    """
    strings_are_numbers = _all_match(_DECIMAL, raw)
    first: dict[type, tuple[str, int, Any]] = {}
    for split, row, label in _entries(raw):
        if strings_are_numbers and isinstance(label, str):
            if not _WHOLE.fullmatch(label):
                raise _no_regression(tables[split], row, label)
            first.setdefault(int, (split, row, label))
        else:
            first.setdefault(type(label), (split, row, label))
    if len(first) > 1:
        (one, one_row, one_label), (other, other_row, other_label) = list(first.values())[:2]
        raise DataError(
            f"labels are of two kinds: {kind_name(one_label)} {short(one_label)} ({tables[one].place(one_row)}) and "
            f"{kind_name(other_label)} {short(other_label)} ({tables[other].place(other_row)}). "
            "Use one kind throughout."
        )
    return bool in first


def _no_regression(table: Table, row: int, label: object) -> DataError:
    return DataError(
        f"{table.place(row)}: the label {short(label)} is not a whole number. freezebench compares classifiers "
        "and does not support regression: use whole numbers or strings as labels."
    )


def _entries(raw: Mapping[str, list[Any]]) -> Iterator[tuple[str, int, Any]]:
    return ((split, row, label) for split, labels in raw.items() for row, label in enumerate(labels))


def _all_match(pattern: re.Pattern[str], raw: Mapping[str, list[Any]]) -> bool:
    """Return whether every label that is a string looks like the pattern."""
    distinct = {label for labels in raw.values() for label in labels if isinstance(label, str)}
    return all(pattern.fullmatch(label) for label in distinct)


def _whole_numbers(labels: list[Any], raw: Mapping[str, list[Any]]) -> list[Any]:
    """Return labels made of digits as numbers, if every string of every split is: csv knows no types."""
    if not _all_match(_WHOLE, raw):
        return labels
    return [int(label.partition(".")[0]) if isinstance(label, str) else int(label) for label in labels]


def _check_known(tables: Mapping[str, Table], values: Mapping[str, list[Any]], present: list[Any]) -> None:
    """Make sure that training sees every class.

    Raises:
        DataError: If another split has a label that train has not.
    """
    known = set(present)
    for split, labels in values.items():
        unknown = Counter(label for label in labels if label not in known)
        if unknown:
            row = next(row for row, label in enumerate(labels) if label not in known)
            raise DataError(
                f"{tables[split].place(row)}: label {short(labels[row])} never occurs in {tables['train'].name}, "
                f"which has {_listed(present)}; {unknown.total()} of {len(labels)} labels are unknown. "
                "Correct the labels."
            )


def _positions(values: Mapping[str, list[Any]], present: Sequence[Any]) -> dict[str, tuple[int, ...]]:
    number = {label: position for position, label in enumerate(present)}
    return {split: tuple(number[label] for label in labels) for split, labels in values.items()}


def _numbered(
    tables: Mapping[str, Table],
    values: Mapping[str, list[int]],
    present: list[int],
    model_names: tuple[str, ...],
    *,
    is_bool: bool,
) -> Labels:
    """Return labels that are whole numbers (or booleans), with the best names at hand."""
    notes = []
    in_order = present == list(range(len(present)))
    if not in_order:
        notes.append(f"Labels {_listed(present)} became classes 0 to {len(present) - 1}.")
    names, name_note = _label_texts(tables, values, present)
    if name_note:
        notes.append(name_note)
    class_names = _class_names(tables)
    if is_bool:
        names = ("False", "True")
    elif class_names and present[0] >= 0 and present[-1] < len(class_names):
        names = tuple(class_names[label] for label in present)
    elif not names:
        fits = in_order and len(model_names) == len(present)
        names = model_names if fits else tuple(str(label) for label in present)
    return Labels(numbers=_positions(values, present), names=names, notes=tuple(notes))


def _class_names(tables: Mapping[str, Table]) -> tuple[str, ...] | None:
    """Return the class names that the format carries.

    Raises:
        DataError: If two splits number their classes differently.
    """
    named = [table for table in tables.values() if table.class_names]
    for table in named[1:]:
        if table.class_names != named[0].class_names:
            raise DataError(
                f"{named[0].name} and {table.name} number their classes differently: {_listed(named[0].class_names)} "
                f"and {_listed(table.class_names)}. Write them with the same class names."
            )
    return named[0].class_names if named else None


def _label_texts(
    tables: Mapping[str, Table], values: Mapping[str, list[int]], present: list[int]
) -> tuple[tuple[str, ...], str | None]:
    """Return the class names in the column ``label_text``, and a note where it does not map one to one."""
    texts: dict[int, Any] = {}
    for split, table in tables.items():
        for label, text in zip(values[split], table.columns.get(LABEL_TEXT_COLUMN, ()), strict=False):
            usable = isinstance(text, str) and text.strip() and not unfit(text)
            if not usable or texts.setdefault(label, text) != text:
                return (), f"The column {LABEL_TEXT_COLUMN!r} is not used: it does not name every label in one way."
    names = tuple(texts.get(label) for label in present)
    if len(set(names)) < len(names) or None in names:
        note = f"The column {LABEL_TEXT_COLUMN!r} is not used: it does not tell the labels apart." if texts else None
        return (), note
    return tuple(str(name) for name in names), None


def _listed(labels: Sequence[Any] | None) -> str:
    """Return labels for a message, the first ones if there are many."""
    labels = labels or ()
    texts = (str(label) if str(label).isprintable() else repr(label) for label in labels[:_MANY_LABELS])
    shown = ", ".join(text if len(text) <= _MANY_CHARS else f"{text[: _MANY_CHARS - 1]}…" for text in texts)
    return f"{shown} and {len(labels) - _MANY_LABELS} more" if len(labels) > _MANY_LABELS else shown
