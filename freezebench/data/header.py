"""The header of delimited text: its separator and the columns that it names."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.data.csv_lines import CsvLines
from freezebench.data.lines import text_lines
from freezebench.data.values import short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

_DELIMITERS = {".csv": ",;\t|", ".tsv": "\t,;|"}
# Excel takes the separator from such a first line.
_SEPARATOR_LINE = "sep="


@dataclass(frozen=True, kw_only=True)
class Header:
    """The first row of delimited text.

    Attributes:
        delimiter: The separator of values.
        names: Names of all columns that have one.
        indices: Index of every requested column that exists.
        num_columns: Number of columns, those without a name at the end not counted.
        num_cells: The same with them.
        num_lines: Number of lines up to the end of this row.
    """

    delimiter: str
    names: tuple[str, ...]
    indices: Mapping[str, int]
    num_columns: int
    num_cells: int
    num_lines: int


def read_header(path: Path, requested: Collection[str]) -> Header:
    """Return the header of a file, by the separator that gives the most requested columns, or else the most columns.

    Raises:
        DataError: If the header cannot be parsed, or names two columns alike.
    """
    _check_line_ends(path)
    stated, num_skipped = _stated_delimiter(path)
    headers, errors = [], []
    for delimiter in stated or _DELIMITERS[_suffix(path)]:
        try:
            headers.append(_header(path, delimiter, num_skipped, requested))
        except csv.Error as error:  # names in quotes are broken by a wrong separator
            errors.append(error)
    if not headers:
        raise DataError(f"{path}: the column names cannot be read ({errors[0]}). Check the quotes of the first row.")
    # The usual separator comes first, and of equally good ones, max takes the first.
    best = max(headers, key=lambda header: (len(header.indices), header.num_columns > 1))
    check_distinct(path, best.names)
    return best


def check_distinct(path: Path, names: Sequence[str]) -> None:
    """Check that columns have different names.

    Raises:
        DataError: If two are named alike.
    """
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path} has two columns named {short(repeated)}. Rename one of them.")


def _suffix(path: Path) -> str:
    return path.suffix.lower() if path.suffix.lower() in _DELIMITERS else ".csv"


def _check_line_ends(path: Path) -> None:
    """Check that lines end in a line feed.

    Raises:
        DataError: If carriage returns alone separate them.
    """
    first = next(text_lines(path), "")
    if "\r" in first and not first.endswith("\n"):
        raise DataError(
            f"{path} ends its lines with carriage returns alone, as old Macs did. Save it with line feeds (LF)."
        )


def _stated_delimiter(path: Path) -> tuple[str, int]:
    """Return the separator that the first line states, if it does, and the number of such lines."""
    first = next(text_lines(path), "").strip("\r\n")
    if len(first) == len(_SEPARATOR_LINE) + 1 and first.lower().startswith(_SEPARATOR_LINE):
        return first[-1], 1
    return "", 0


def _header(path: Path, delimiter: str, num_skipped: int, requested: Collection[str]) -> Header:
    lines = CsvLines(path)
    lines.skip(num_skipped)
    cells: Sequence[str] = ()
    for row in csv.reader(lines, delimiter=delimiter, strict=True):
        if any(cell.strip() for cell in row):
            cells = [cell.strip() for cell in lines.restored(row)]
            break
    num_columns = len(cells)
    while num_columns and not cells[num_columns - 1]:
        num_columns -= 1
    return Header(
        delimiter=delimiter,
        names=tuple(name for name in cells if name),
        indices={name: cells.index(name) for name in requested if name in cells},
        num_columns=num_columns,
        num_cells=len(cells),
        num_lines=lines.number,
    )
