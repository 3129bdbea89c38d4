"""Texts: the values of the text columns, checked to be strings that a tokenizer can take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.data.values import is_invisible, is_missing, kind_name, unfit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.bad_rows import Kind
    from freezebench.data.columns import Columns

Texts = tuple[tuple[str, ...], ...]


def read_texts(columns: Mapping[str, Columns]) -> dict[str, Texts]:
    """Return the texts of every row by split, one text per text column; all have been checked."""
    return {
        split: tuple(zip(*(map(str, values) for values in selected.texts.values()), strict=True))
        for split, selected in columns.items()
    }


def text_faults(columns: Columns) -> dict[int, tuple[Kind, str]]:
    """Return kind and fault of every row with a text that cannot be used, by row number."""
    faults: dict[int, tuple[Kind, str]] = {}
    for name, values in columns.texts.items():
        # Faults are described only if there are any: most data sets have none.
        for row in _unusable(values):
            faults.setdefault(row, _fault(values[row], f"the text in column {name!r}"))
    return faults


def _unusable(values: Sequence[object]) -> list[int]:
    return [
        row
        for row, value in enumerate(values)
        if not isinstance(value, str) or not value or is_invisible(value) or unfit(value) is not None
    ]


def _fault(value: object, text: str) -> tuple[Kind, str]:
    """Return the kind of a fault, and the fault as a clause about a text."""
    if isinstance(value, str):
        if not value or value.isspace():
            return "no_text", f"{text} is empty"
        if (fault := unfit(value)) is not None:
            return "bad_text", f"{text} {fault}"
        return "no_text", f"{text} has no visible character"
    if is_missing(value):
        return "no_text", f"{text} is missing"
    return "bad_text", f"{text} is not a string but {kind_name(value)}"
