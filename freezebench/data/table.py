"""Table: the columns of one split as they were read, and the checks that every text has to pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LABEL_TEXT_COLUMN = "label_text"

# Encoders read some hundred tokens; a text of this many characters is a file that went wrong, and takes minutes.
MAX_TEXT_CHARS = 1_000_000

_MANY_COLUMNS = 20
_MANY_CHARS = 60


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one file or of one split of a Hub data set.

    Attributes:
        name: What messages call it: a path, or ``SetFit/sst2, split train``.
        columns: Values of the wanted columns that exist, all of equal length.
        available: Names of all columns, wanted or not.
        num_rows: Number of rows.
        lines: Line of the file where each row starts, counted from 1; ``None`` where rows are not lines.
        class_names: Name of label 0, 1, … where the format carries them (``ClassLabel``).
    """

    name: str
    columns: Mapping[str, Sequence[Any]] = field(repr=False)
    available: tuple[str, ...]
    num_rows: int
    lines: Sequence[int] | None = field(default=None, repr=False)
    class_names: tuple[str, ...] | None = None

    def place(self, row: int) -> str:
        """Return where a row stands, for people: ``train.csv, line 3``; ``row`` counts from 0."""
        return f"{self.name}, line {self.lines[row]}" if self.lines is not None else f"{self.name}, row {row + 1}"

    def column(self, name: str, option: str) -> Sequence[Any]:
        """Return a column.

        Args:
            name: Its name.
            option: The option that names another one.

        Raises:
            DataError: If there are no rows, or no such column.
        """
        if not self.num_rows:
            raise DataError(f"{self.name} has no rows. Put at least one example in it, or leave it out.")
        if name not in self.columns:
            raise DataError(f"{self.name} has no column {name!r}: it has {_names(self.available)}. Set {option}.")
        return self.columns[name]


def read_texts(table: Table, text_columns: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the texts of every row: one per text column.

    Raises:
        DataError: If a column is missing, or a text is missing, no string, empty, too long or not encodable.
    """
    columns = [table.column(name, "--freeze-text-column") for name in text_columns]
    for name, values in zip(text_columns, columns, strict=True):
        _check_texts(table, name, values)
    return tuple(zip(*columns, strict=True))


def _check_texts(table: Table, column: str, values: Sequence[Any]) -> None:
    """Make sure that every value is a text that a tokenizer can take.

    Raises:
        DataError: If one is not; it names the first row and how many more there are.
    """
    faults = [(row, _fault(value)) for row, value in enumerate(values)]
    faults = [(row, fault) for row, fault in faults if fault is not None]
    if not faults:
        return
    row, fault = faults[0]
    more = len(faults) - 1
    others = f", and {more} more of its rows cannot be used" if more else ""
    raise DataError(f"{table.place(row)}: the text in column {column!r} {fault}{others}. Correct or remove such rows.")


def _fault(value: object) -> str | None:
    """Return what is wrong with a text; ``None`` if nothing is."""
    if value is None:
        return "is missing"
    if not isinstance(value, str):
        return f"is not a string but {kind_name(value)}"
    if not value or value.isspace():
        return "is empty"
    return unfit(value)


def unfit(text: str) -> str | None:
    """Return why a tokenizer cannot take a text."""
    if len(text) > MAX_TEXT_CHARS:
        return f"has {len(text):,} characters, more than {MAX_TEXT_CHARS:,}"
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half of a surrogate pair"
    return None


_KINDS = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
)


def kind_name(value: object) -> str:
    """Return the type of a value in the words of a file's author."""
    if value is None:
        return "missing"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), f"of type {type(value).__name__}")


def short(value: object) -> str:
    """Return a value for a message: on one line, without control characters, and cut if it is long."""
    text = repr(value)
    return text if len(text) <= _MANY_CHARS else f"{text[: _MANY_CHARS - 1]}…"


def _names(columns: Sequence[str]) -> str:
    """Return column names for a message, the first ones if there are many."""
    shown = ", ".join(short(name) for name in columns[:_MANY_COLUMNS])
    more = f" and {len(columns) - _MANY_COLUMNS} more" if len(columns) > _MANY_COLUMNS else ""
    return f"{shown}{more}" if columns else "none"
