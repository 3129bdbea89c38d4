"""Several labels per text, as 0 or 1 for each label.

They are written in one of these ways, and become the same::

    lists of names      ["sad", "long"]         of numbers   [0, 2], the names of which the format may carry
    lists of 0 and 1    [1, 0, 1]               one for each label, so that all lists are equally long
    columns of 0 and 1  sad,short,long          --freeze-label-column=sad,short,long
    text                sad|long, ['sad']       which label_lists.py has made a list of names
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.data.class_names import shared_names
from freezebench.data.classes import check_known, with_model_names
from freezebench.data.label_lists import SEPARATORS
from freezebench.data.values import is_missing, kind_name, label_list, short, unfit_name
from freezebench.errors import DataError
from freezebench.units import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from freezebench.data.bad_rows import Kind
    from freezebench.data.columns import Columns

Item = str | int

MISSING = "the labels are missing"
_MAX_LABELS = 1000
_MAX_NUMBERS = 200_000_000
_INDICATORS: dict[object, int] = {0: 0, 1: 1, "0": 0, "1": 1, "0.0": 0, "1.0": 1, "False": 0, "True": 1}
_MIN_LABELS = 2


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the labels of a row are written.

    Attributes:
        indicators: Names of the labels whose 0 or 1 a list has; ``None``: a list has the labels themselves.
    """

    indicators: tuple[str, ...] | None = None


def find_layout(columns: Mapping[str, Columns], model_names: Sequence[str]) -> Layout:
    """Return how the labels of a data set are written.

    Raises:
        DataError: If they are texts without a separator, or lists of 0 and 1 of different lengths.
    """
    train = columns["train"]
    if train.indicators:
        return Layout(indicators=train.indicators)
    lists = [row for row in train.labels if isinstance(row, list)]
    if not lists:
        raise _no_lists(train)
    # Bad rows do not count, so that the layout is the same once they are left out.
    rows = [row for row in lists if not any(_is_withheld(item) or _is_bad(item) for item in row)]
    lengths = set(map(len, rows))
    are_indicators = all(_indicator(value) is not None for row in rows for value in row)
    # As numbers of labels, no list would have one of them twice.
    if are_indicators and len(lengths) > 1 and any(len(set(row)) < len(row) for row in rows):
        raise DataError(
            f"{train.table.name}: lists in column {train.label_column!r} have {min(lengths)} to {max(lengths)} values "
            "of 0 and 1. Give each list one value for every label."
        )
    if are_indicators and len(lengths) == 1 and max(lengths) >= _MIN_LABELS:
        num = max(lengths)
        names = shared_names(columns) or tuple(model_names)
        return Layout(indicators=tuple(names) if len(names) == num else tuple(map(str, range(num))))
    return Layout()


def _no_lists(train: Columns) -> DataError:
    return DataError(
        f"{train.table.name}: no value of column {train.label_column!r} has several labels: none is a list or holds "
        f"{' or '.join(SEPARATORS)} between labels. Use --freeze-task=sequence-classification, or write lists in a "
        ".jsonl file."
    )


def multi_label_faults(columns: Columns, layout: Layout) -> dict[int, tuple[Kind, str]]:
    """Return kind and fault of every row without usable labels, by row number."""
    faults: dict[int, tuple[Kind, str]] = {}
    for row, value in enumerate(columns.labels):
        if (fault := next(_faults(value, layout), None)) is not None:
            faults[row] = fault
    return faults


def _faults(value: object, layout: Layout) -> Iterator[tuple[Kind, str]]:
    """Yield what is wrong with the labels of a row, the first fault first."""
    items = value if isinstance(value, list) else None
    if is_missing(value):
        yield "no_label", MISSING if layout.indicators is None else "the list of 0 and 1 is missing"
    elif items is None:
        yield "bad_label", f"the labels are {kind_name(value)}, and other rows have a list"
    elif layout.indicators is not None:
        yield from _indicator_faults(items, layout.indicators)
    elif len(items) > _MAX_LABELS:
        yield "bad_label", f"it has {len(items):,} labels, more than {_MAX_LABELS:,}"
    else:
        yield from (("bad_label", f"one of the labels {fault}") for fault in map(_item_fault, items) if fault)


def _item_fault(item: object) -> str | None:
    """Return why a label cannot be used, as a clause."""
    if is_missing(item):
        return "is empty or null"
    if isinstance(item, str):
        return unfit_name(item)
    return None if _whole(item) is not None else f"is {kind_name(item)}; names and whole numbers can be labels"


def _indicator_faults(items: Sequence[object], names: Sequence[str]) -> Iterator[tuple[Kind, str]]:
    if len(items) != len(names):
        yield "bad_label", f"it has {len(items)} labels of 0 and 1, and other rows have {len(names)}"
        return
    for name, item in zip(names, items, strict=True):
        if _is_withheld(item):
            yield "no_label", f"the label {short(name)} is missing"
        elif _indicator(item) is None:
            yield "bad_label", f"the label {short(name)} is {short(item)}, not 0 or 1"


def _is_withheld(item: object) -> bool:
    """Return whether a value in place of 0 or 1 says that it is not known."""
    return is_missing(item) or item in (-1, "-1", "-")


def _is_bad(item: object) -> bool:
    """Return whether a value is neither 0 or 1 nor a label."""
    return _indicator(item) is None and _item_fault(item) is not None


def _indicator(value: object) -> int | None:
    """Return 0 or 1; ``None`` for other values."""
    key = value.strip().capitalize() if isinstance(value, str) else value
    return _INDICATORS.get(key) if isinstance(key, (str, int, float)) else None


def _whole(value: object) -> int | None:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if is_whole and not isinstance(value, bool) else None  # type: ignore[call-overload]


def read_multi_labels(
    columns: Mapping[str, Columns], layout: Layout, model_names: Sequence[str]
) -> tuple[dict[str, tuple[tuple[int, ...], ...]], tuple[str, ...], tuple[str, ...]]:
    """Return 0 or 1 for each label of every row by split, the names of the labels, and notes; all have been checked.

    Raises:
        DataError: If there are fewer than two labels, or too many, or another split has one that train lacks.
    """
    if layout.indicators is not None:
        vectors = {
            split: tuple(tuple(_indicator(item) or 0 for item in _list(row)) for row in part.labels)
            for split, part in columns.items()
        }
        return vectors, layout.indicators, ()
    rows = {split: [_row(value) for value in part.labels] for split, part in columns.items()}
    known = {item for row in rows["train"] for item in row}
    _check_kinds(columns["train"], known)
    if any(isinstance(item, int) for item in known):
        classes, names = _numbered(columns, known, model_names)
        note = f"There are {len(names)} labels: {label_list(names)}."
        return _vectors(columns, rows, classes), names, (note,)
    texts = {split: [list(map(str, row)) for row in of_split] for split, of_split in rows.items()}
    matched = with_model_names(texts, model_names)
    names = tuple(model_names) if matched else tuple(sorted(map(str, known)))
    order = "in the order of the model's own" if matched else "in sorted order"
    note = f"There are {len(names)} labels, {order}: {label_list(names)}."
    return _vectors(columns, matched or texts, names), names, (note,)


def _check_kinds(train: Columns, known: Collection[Item]) -> None:
    """Check that the labels of train are of one kind, and neither too few nor too many.

    Raises:
        DataError: If they are not.
    """
    if len(known) < _MIN_LABELS or len(known) > _MAX_LABELS:
        raise DataError(
            f"{train.table.name}: column {train.label_column!r} has {counted(len(known), 'different label')}, and "
            f"multi-label takes {_MIN_LABELS} to {_MAX_LABELS:,}. Set --freeze-label-column to another column."
        )
    if len(set(map(type, known))) > 1:
        raise DataError(
            f"{train.table.name}: column {train.label_column!r} has names and numbers as labels. Use one kind "
            "throughout."
        )


def _numbered(
    columns: Mapping[str, Columns], known: Collection[Item], model_names: Sequence[str]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the labels of train, which are numbers, in their order, and their names."""
    numbers = sorted(item for item in known if isinstance(item, int))
    given = shared_names(columns) or tuple(model_names)
    is_named = numbers[0] >= 0 and numbers[-1] < len(given)
    return tuple(numbers), tuple(given[number] if is_named else str(number) for number in numbers)


def _vectors(
    columns: Mapping[str, Columns], rows: Mapping[str, Sequence[Sequence[Item]]], classes: Sequence[Item]
) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Return 0 or 1 for each label of every row.

    Raises:
        DataError: If another split has a label that train lacks, or there are too many rows and labels.
    """
    check_known(columns, rows, classes)
    num_rows = sum(map(len, rows.values()))
    if num_rows * len(classes) > _MAX_NUMBERS:
        raise DataError(
            f"{columns['train'].table.name}: {num_rows:,} rows with 0 or 1 for each of {len(classes):,} labels do not "
            "fit into memory. Use fewer labels, or fewer rows."
        )
    number_of = {item: number for number, item in enumerate(classes)}
    return {split: tuple(_vector(row, number_of) for row in of_split) for split, of_split in rows.items()}


def _row(value: object) -> list[Item]:
    return [item.strip() if isinstance(item, str) else _whole(item) or 0 for item in _list(value)]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _vector(row: Iterable[Item], number_of: Mapping[Item, int]) -> tuple[int, ...]:
    vector = [0] * len(number_of)
    for item in row:
        vector[number_of[item]] = 1
    return tuple(vector)
