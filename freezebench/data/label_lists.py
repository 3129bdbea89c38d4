"""Lists of labels that are written in one text, as text files have them.

"['sad', 'long']"   as pandas, NumPy and JSON write a list: read as such, whatever the task
"sad; long"         names with a separator between: read where --freeze-task=multi-label says that these are several
"[]"                no label, beside either
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.data.table import Table
from freezebench.data.values import is_missing, short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.specs.data import DataSpec

# The first of these that occurs in a label of train separates them.
SEPARATORS = "|;,"
_EMPTY = "[]"
# Quoted names or numbers in brackets; NumPy writes no commas. Names in double quotes are those of JSON.
_ITEM = r"""(?:'(?:[^'\\]|\\['"\\])*'|"(?:[^"\\]|\\.)*"|[+-]?[0-9]{1,18}(?:\.0*)?)"""
_ITEMS = re.compile(_ITEM)
_WRITTEN = re.compile(rf"\[\s*{_ITEM}(?:(?:\s*,\s*|\s+){_ITEM})*\s*(?:,\s*)?\]")
_IN_BRACKETS = re.compile(r"\[.*\]|\(.*\)|\{.*\}", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+", re.ASCII)
# This part of the names within joined ones has to occur in other classes, too.
_RECURRING = 0.8


def find_separator(spec: DataSpec, train: Table) -> str | None:
    """Return what separates labels in the texts of the label column; ``None``: it has no such texts.

    Raises:
        DataError: If the labels are in brackets, and are no lists of quoted names.
    """
    labels = train.columns.get(spec.label_column, ())
    if spec.task != "multi-label" or any(isinstance(label, list) for label in labels) or _are_written(labels):
        return None
    texts = [label.strip() for label in labels if isinstance(label, str) and not is_missing(label)]
    bracketed = [text for text in texts if _IN_BRACKETS.fullmatch(text) and text != _EMPTY]
    if bracketed and 2 * len(bracketed) > len(texts) - texts.count(_EMPTY):
        raise DataError(
            f"{train.name}: labels such as {short(bracketed[0])} in column {spec.label_column!r} are in brackets, and "
            f"cannot be read as lists. Leave out the brackets and any quotes, or write lists such as ['a', 'b']."
        )
    return next((separator for separator in SEPARATORS if any(separator in text for text in texts)), None)


def with_label_lists(table: Table, column: str, separator: str | None) -> Table:
    """Return a table with a list in place of every text that has one.

    Args:
        table: The table.
        column: Its column of labels.
        separator: What separates labels in texts that are not written as lists; ``None``: each is one label.
    """
    labels = table.columns.get(column, ())
    if _are_written(labels):
        return _changed(table, column, None)
    return table if separator is None else _changed(table, column, separator)


def _changed(table: Table, column: str, separator: str | None) -> Table:
    if table.parts:
        parts = [_changed(part, column, separator) for part in table.parts]
        return replace(Table.joined(table.name, parts), notes=table.notes)
    if column not in table.columns:
        return table
    labels = [_list(label, separator) for label in table.columns[column]]
    return replace(table, columns={**table.columns, column: labels})


def _list(label: object, separator: str | None) -> object:
    """Return the list that a text has, else the label as it is."""
    if not isinstance(label, str) or is_missing(label):
        return label
    text = label.strip()
    if text == _EMPTY:
        return []
    if separator is not None:
        return [item.strip() for item in text.split(separator)]
    if not _WRITTEN.fullmatch(text):
        return label
    try:
        return list(map(_item, _ITEMS.findall(text)))
    except ValueError:  # no string of JSON
        return label


def _item(text: str) -> object:
    """Return a name or number of a list.

    Raises:
        ValueError: If a name in double quotes is no string of JSON.
    """
    if text.startswith('"'):
        return json.loads(text)
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith("'") else int(text.partition(".")[0])


def _are_written(labels: Sequence[object]) -> bool:
    """Return whether most labels are texts that are written as lists; empty ones may stand beside other texts."""
    others = [label for label in labels if not is_missing(label) and not (isinstance(label, str) and _is_empty(label))]
    written = list(filter(_is_written, others))
    return 2 * len(written) > len(others)


def _is_empty(label: str) -> bool:
    return label.strip() == _EMPTY


def _is_written(label: object) -> bool:
    return isinstance(label, str) and _WRITTEN.fullmatch(label.strip()) is not None


def parts_of(name: str, separator: str) -> list[str]:
    """Return what a separator separates in a name."""
    return [part.strip() for part in name.split(separator)]


def joined_separator(name: str, known: Iterable[str]) -> str | None:
    """Return what joins known labels in a name; ``None`` if it is no list of them."""
    folded = {label.casefold() for label in known}
    return next(
        (
            separator
            for separator in SEPARATORS
            if separator in name and folded.issuperset(part.casefold() for part in parts_of(name, separator))
        ),
        None,
    )


def joined_classes(names: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the separator and the names of classes that look like lists of labels, since their parts recur.

    ``None``: they do not. ``a``, ``b`` and ``a; b`` do, and ``arts, music`` beside ``arts, film`` do not.
    """
    for separator in SEPARATORS:
        parts = {name: set(parts_of(name, separator)) for name in names if name.strip() != _EMPTY}
        joined = [name for name, own in parts.items() if len(own) > 1]
        if not joined or all(map(_DECIMAL_COMMA.fullmatch, joined)):
            continue
        numbers: dict[str, int] = {}
        for part in (part for own in parts.values() for part in own):
            numbers[part] = numbers.get(part, 0) + 1
        within = {part for name in joined for part in parts[name]}
        num_recurring = sum(numbers[part] > 1 for part in within)
        if len(numbers) < len(parts) and num_recurring >= _RECURRING * len(within) and "" not in within:
            return separator, joined
    return None
