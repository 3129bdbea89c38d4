"""Read delimited text (.csv, .tsv) strictly: every value is the string that is written, and no row disappears.

A quotation mark that is closed by another stray one some lines later, or never, turns all rows between into the text of
one value, which is valid CSV. So a row that goes over several lines is taken apart again if each of its lines by itself
is a row, with a label that other rows have, too::

    1,"the film was bright          one value:  the film was bright⏎0,a chore to watch⏎0,dull cast
    0,a chore to watch
    0,dull cast"                    three rows, of which the first is bad

Tab-separated files are often written without any quoting, as those of GLUE are; then quotation marks are text.
"""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING

from freezebench.data.bad_rows import BadRows
from freezebench.data.csv_lines import CsvLines
from freezebench.data.header import Header, read_header
from freezebench.data.lines import MAX_LINE_BYTES
from freezebench.data.missing_labels import NUMBER
from freezebench.data.table import Table
from freezebench.specs.data import columns_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

_DOUBLE = "double every quote inside a quoted value"


def read_delimited(path: Path, requested: Collection[str], label_column: str) -> Table:
    """Return a table from delimited text whose first row names the columns.

    Args:
        path: The file.
        requested: Names of columns; those that do not exist are left out.
        label_column: That of the labels, by which rows inside a value are recognised.

    Raises:
        DataError: If the file or its header cannot be read.
    """
    with _long_values():
        header = read_header(path, requested)
        quoted = _Parser(path, header, label_column, csv.QUOTE_MINIMAL)
        quoted.parse()
        if header.delimiter == "\t" and (quoted.has_quote_faults or quoted.has_needless_quotes):
            plain = _Parser(path, header, label_column, csv.QUOTE_NONE)
            plain.parse()
            if len(plain.bad_rows) < len(quoted.bad_rows) + quoted.has_needless_quotes:
                return plain.table()
        return quoted.table()


@contextmanager
def _long_values() -> Iterator[None]:
    """Let values be as long as lines may be; the csv module has one limit for the whole process."""
    before = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


class _Parser:
    """One pass over a file with one kind of quoting.

    Attributes:
        bad_rows: Rows that cannot be read.
        has_quote_faults: Whether some of them are due to quotes.
    """

    def __init__(self, path: Path, header: Header, label_column: str, quoting: int) -> None:
        self._path, self._header = path, header
        # Of several label columns, the first one.
        names = (label_column, *columns_in(label_column))
        self._label_index = next((header.indices[name] for name in names if name in header.indices), None)
        self._lines = CsvLines(path)
        self._parser = csv.reader(self._lines, delimiter=header.delimiter, quoting=quoting, strict=True)  # type: ignore[arg-type]
        self._columns: dict[str, list[object]] = {name: [] for name in header.indices}
        self._positions: list[int] = []
        self._num_unnamed = 0
        self._labels: set[str] | None = None
        self._closing: set[int] = set()
        self.bad_rows = BadRows(name=str(path))
        self.has_quote_faults = False
        self._num_needless = 0

    @property
    def has_needless_quotes(self) -> bool:
        """Whether quotes are around values that need none, but not in all rows: no program writes so; they are text."""
        return 0 < self._num_needless < len(self._positions)

    def parse(self) -> None:
        """Read all rows."""
        self._lines.skip(self._header.num_lines)
        columns = [(index, self._columns[name]) for name, index in self._header.indices.items()]
        num_columns = self._header.num_columns
        for start, cells in self._rows():
            if len(cells) != num_columns and (fault := self._count_fault(cells)):
                self.bad_rows.add_line(start, fault)
            elif start in self._closing and any('"' in cell for cell in self._label_cell(cells)):
                self.bad_rows.add_line(
                    start, f"the quote that closes the value of an earlier line is in its label; {_DOUBLE}"
                )
            elif any(cells):  # a line of separators alone is as good as a blank one
                for index, values in columns:
                    values.append(cells[index])
                self._positions.append(start)
                self._num_unnamed += any(cells[num_columns:])

    def table(self) -> Table:
        """Return the rows as a table."""
        note = f"{self._num_unnamed} rows of {self._path} have values in them, which are not read."
        return Table(
            name=str(self._path),
            columns=self._columns,
            available=self._header.names,
            num_rows=len(self._positions),
            positions=self._positions,
            unit="line",
            is_typed=False,
            bad_rows=self.bad_rows if len(self.bad_rows) else None,
            notes=(f"Columns without a name: {note}",) if self._num_unnamed else (),
        )

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the first line and the values of every row and blank line; add what is no row to the bad rows."""
        lines = self._lines
        while True:
            lines.taken.clear()
            start = lines.number + 1
            fault, is_taken_apart = None, False
            try:
                cells = next(self._parser)
            except StopIteration:
                return
            except csv.Error as error:
                fault = self._quote_fault(error)
                is_taken_apart = self._are_rows(lines.taken[1:])
            else:
                if len(lines.taken) > 1:
                    fault, is_taken_apart = self._swallowed(cells), True
                    if fault is None and (fault := self._count_fault(cells)):
                        is_taken_apart = self._are_rows(lines.taken[1:])
            if fault is None:
                self._num_needless += _is_needlessly_quoted(lines.taken, self._header.delimiter)
                yield start, lines.restored(cells)
                continue
            self.has_quote_faults = True
            self.bad_rows.add_line(start, fault)
            if is_taken_apart:
                self._closing.add(lines.number)
                lines.give_back()

    def _quote_fault(self, error: csv.Error) -> str:
        """Return the fault of a row that the csv module refuses."""
        if "expected after" not in str(error):
            return f"the quote that opens a value here is never closed; {_DOUBLE}"
        if len(self._lines.taken) > 1:
            return f"the quote that opens a value here closes on line {self._lines.number}, before more text; {_DOUBLE}"
        return f"text follows a quote that closes a value; {_DOUBLE}"

    def _count_fault(self, cells: Sequence[str]) -> str | None:
        """Return the fault of a row with another number of values; ``None`` if those without a column do not matter."""
        header = self._header
        if not any(cells):
            return None
        if len(cells) < header.num_columns or any(cells[header.num_cells :]):
            named = f"{header.num_columns} column name{'s' if header.num_columns > 1 else ''}"
            fault = f"{len(cells)} values under {named}"
            if any(cell.lstrip(" ").startswith('"') and cell.startswith(" ") for cell in cells):
                return f"{fault}; remove the blank before a quote that opens a value"
            return f"{fault}; put quotes around a value that holds the separator"
        return None

    def _swallowed(self, cells: Sequence[str]) -> str | None:
        """Return the fault of a row of several lines that holds other rows; ``None`` if it does not."""
        own = next(map(_bare, self._label_cell(cells)), None)
        is_swallowed = self._header.delimiter == "\t" and any("\t" in cell and "\n" in cell for cell in cells)
        if not is_swallowed and not self._are_rows(self._lines.taken, own):
            return None
        return (
            f"the quote that opens a value here closes on line {self._lines.number}, a later row; {_DOUBLE}, or save "
            "the file as .jsonl"
        )

    def _are_rows(self, taken: Sequence[str], own: str | None = None) -> bool:
        """Return whether half of some lines are rows, their quotes aside, with a label that other rows have.

        Args:
            taken: The lines. Some of them may be damaged in another way.
            own: The label of the row that they belong to, which says nothing about the line that it is on.
        """
        taken = [line for line in taken if line.strip()]
        labels = [label for line in taken if (label := self._label(line)) is not None]
        num_lines = len(taken)
        if own in labels:
            labels.remove(own)
            num_lines -= 1
        if not labels or 2 * len(labels) < num_lines:
            return False
        known = self._known_labels()
        if not known:  # no row is on one line, perhaps because a quote took all of them; classes repeat, texts do not
            return 2 * len(set(labels)) <= len(labels) and own in {None, *labels}
        # Labels of regression differ from row to row.
        is_number = all(map(NUMBER.fullmatch, known)) and any("." in label for label in known)
        num_known = sum(label in known or (is_number and NUMBER.fullmatch(label) is not None) for label in labels)
        return 2 * num_known >= num_lines

    def _label(self, line: str) -> str | None:
        """Return the label on a line that is taken for a row, its quotes aside; ``None`` if it has too many values."""
        cells = line.rstrip("\r\n").split(self._header.delimiter)
        while len(cells) > self._header.num_cells and not _bare(cells[-1]):
            cells.pop()
        if self._label_index is None or not self._header.num_columns <= len(cells) <= self._header.num_cells:
            return None
        return _bare(cells[self._label_index])

    def _label_cell(self, cells: Sequence[str]) -> Sequence[str]:
        """Return the label among the values of a row; nothing if there is none."""
        return () if self._label_index is None else cells[self._label_index : self._label_index + 1]

    def _known_labels(self) -> set[str]:
        """Return the labels of the rows that are on one line, read from the file at the first call."""
        if self._labels is None:
            self._labels = set()
            lines = CsvLines(self._path)
            lines.skip(self._header.num_lines)
            parser = csv.reader(lines, delimiter=self._header.delimiter, strict=True)
            while True:
                lines.taken.clear()
                try:
                    cells = next(parser)
                except StopIteration:
                    return self._labels
                except csv.Error:
                    continue
                if len(lines.taken) == 1 and len(cells) >= self._header.num_columns:
                    self._labels.add(_bare(cells[self._label_index or 0]))
        return self._labels


def _bare(label: str) -> str:
    return label.strip().strip('"').strip()


def _is_needlessly_quoted(taken: Sequence[str], delimiter: str) -> bool:
    """Return whether quotes are around a value on a line of its own that holds no separator, comma or quote."""
    if delimiter != "\t" or len(taken) > 1 or '"' not in taken[0]:
        return False
    values = taken[0].rstrip("\r\n").split(delimiter)
    return any(
        value.startswith('"') and value.find('"', 1) == len(value) - 1 > 1 and "," not in value for value in values
    )
