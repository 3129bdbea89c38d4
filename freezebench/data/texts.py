"""Texts: the values of the text columns, checked to be strings that a tokenizer can take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.data.values import kind_name, unfit
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.columns import Columns
    from freezebench.data.table import Table

Texts = tuple[tuple[str, ...], ...]


def read_texts(columns: Mapping[str, Columns]) -> dict[str, Texts]:
    """Return the texts of every row by split: one text per text column.

    Raises:
        DataError: If a text is missing, no string, empty, too long or not encodable.
    """
    texts = {}
    for split, selected in columns.items():
        checked = [_checked(selected.table, name, values) for name, values in selected.texts.items()]
        texts[split] = tuple(zip(*checked, strict=True))
    return texts


def _checked(table: Table, column: str, values: Sequence[object]) -> list[str]:
    """Return the values of a text column.

    Raises:
        DataError: If a value is no usable text; the message gives the first such row and the number of others.
    """
    # Faults are located only if there are any: most data sets have none.
    texts = [value for value in values if isinstance(value, str) and _fault(value) is None]
    if len(texts) == len(values):
        return texts
    faults = [(row, fault) for row, value in enumerate(values) if (fault := _fault(value)) is not None]
    row, fault = faults[0]
    more = len(faults) - 1
    others = f", and {more} more of its rows cannot be used" if more else ""
    raise DataError(
        f"{table.location(row)}: the text in column {column!r} {fault}{others}. Correct or remove such rows."
    )


def _fault(value: object) -> str | None:
    """Return what is wrong with a text, as a clause; ``None`` if nothing is."""
    if value is None:
        return "is missing"
    if not isinstance(value, str):
        return f"is not a string but {kind_name(value)}"
    if not value or value.isspace():
        return "is empty"
    return unfit(value)
