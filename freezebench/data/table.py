"""Table: the columns of one split as they were read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Literal

from freezebench.data.bad_rows import BadRow, BadRows
from freezebench.data.values import short
from freezebench.errors import DataError
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.bad_rows import Kind

_MAX_COLUMNS = 20


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one file, of several files that are parts of one split, or of one split of a Hub data set.

    Attributes:
        name: Name in messages: a path, or ``SetFit/sst2, split train``.
        columns: Values of the requested columns that exist, all of equal length.
        available: Names of all columns.
        num_rows: Number of rows.
        positions: Where each row is, counted from 1; ``None``: the first row is 1, the second 2, and so on.
        unit: What is counted: lines of a file, or rows where these are not lines.
        class_names: By column, the names of the numbers 0, 1, … if the format carries them (``ClassLabel``).
        is_typed: Whether the format tells numbers from strings; delimited text does not.
        bad_rows: Rows of the file that could not be read and are not among these.
        notes: What was left out or found out when the file was read, in sentences.
        parts: The tables of the single files, if there are several.
        is_by_word: Whether every column has a value per word, so that none has one per example: CoNLL files.
    """

    name: str
    columns: Mapping[str, Sequence[object]] = field(repr=False)
    available: tuple[str, ...]
    num_rows: int
    positions: Sequence[int] | None = field(default=None, repr=False)
    unit: Literal["line", "row"] = "row"
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_typed: bool = True
    bad_rows: BadRows | None = None
    notes: tuple[str, ...] = ()
    parts: tuple[Table, ...] = field(default=(), repr=False)
    is_by_word: bool = False

    @classmethod
    def joined(cls, name: str, parts: Sequence[Table]) -> Table:
        """Return the rows of several files as one table.

        Args:
            name: Name of the whole in messages.
            parts: Their tables.

        Raises:
            DataError: If the files have other columns or class names than the first one.
        """
        # A part may be empty, or have bad rows alone.
        full = [part for part in parts if part.num_rows]
        first = full[0] if full else parts[0]
        for part in full:
            if (part.columns.keys(), part.class_names) != (first.columns.keys(), first.class_names):
                raise DataError(
                    f"{first.name} and {part.name} are parts of one split, but have different columns or class names. "
                    "Write them again together."
                )
        columns = {key: list(chain.from_iterable(part.columns[key] for part in full)) for key in first.columns}
        return replace(
            first,
            name=name,
            columns=columns,
            num_rows=sum(part.num_rows for part in parts),
            positions=None,
            bad_rows=None,
            notes=tuple(note for part in parts for note in part.notes),
            parts=tuple(parts),
        )

    @property
    def files(self) -> tuple[Table, ...]:
        """The tables of the single files: the parts, or this table itself."""
        return self.parts or (self,)

    def position_of(self, row: int) -> int:
        """Return the number of a row in the file of this table, as its rows are counted there."""
        return row + 1 if self.positions is None else self.positions[row]

    def place_of(self, row: int) -> str:
        """Return the place of a row in the file of this table: ``line 3``."""
        return f"{self.unit} {self.position_of(row)}"

    def location(self, row: int) -> str:
        """Return the location of a row for a message: ``train.csv, line 3``; ``row`` counts from 0."""
        for part, start in zip(self.files, self._starts, strict=True):
            if row < start + part.num_rows:
                return f"{part.name}, {part.place_of(row - start)}"
        raise IndexError(row)

    def bad(self, faults: Mapping[int, tuple[Kind, str]]) -> list[BadRows]:
        """Return the bad rows of every file: those that could not be read, and further ones.

        Args:
            faults: Kind and fault of the further ones by row number, counted from 0.
        """
        bad = []
        for part, start in zip(self.files, self._starts, strict=True):
            own = [
                BadRow(
                    position=part.position_of(row - start),
                    place=part.place_of(row - start),
                    kind=kind,
                    fault=fault,
                )
                for row, (kind, fault) in faults.items()
                if start <= row < start + part.num_rows
            ]
            bad.append((part.bad_rows or BadRows(name=part.name)).extended(own))
        return bad

    def without(self, rows: Mapping[int, object]) -> Table:
        """Return the table without some rows, and without the memory of rows that could not be read."""
        if self.parts:
            starts = zip(self.parts, self._starts, strict=True)
            own = [
                part.without({row - start: None for row in rows if start <= row < start + part.num_rows})
                for part, start in starts
            ]
            return replace(Table.joined(self.name, own), notes=self.notes)
        kept = [row for row in range(self.num_rows) if row not in rows]
        return replace(
            self,
            columns={name: [values[row] for row in kept] for name, values in self.columns.items()},
            num_rows=len(kept),
            positions=[self.position_of(row) for row in kept],
            bad_rows=None,
        )

    def column(self, name: str, option: str) -> Sequence[object]:
        """Return a column.

        Args:
            name: Its name.
            option: The option that chooses this column, for the message.

        Raises:
            DataError: If there are no rows, or no such column.
        """
        if not self.num_rows and not any(part.bad_rows for part in self.files):
            raise DataError(f"{self.name} has no rows. Put at least one example in it, or leave it out.")
        if name not in self.columns and (self.num_rows or self.available):
            columns = listed(self.available, _MAX_COLUMNS, short) or "none"
            if any("," in other and name in other for other in self.available):
                raise DataError(
                    f"{self.name} has no column {name!r}: it has {columns}. Put double quotes around a name with a "
                    f"comma: {option}='\"name, with comma\"'."
                )
            raise DataError(f"{self.name} has no column {name!r}: it has {columns}. Set {option}.")
        return self.columns.get(name, ())

    @property
    def _starts(self) -> list[int]:
        """Number of the first row of every file."""
        return list(accumulate((part.num_rows for part in self.files), initial=0))[:-1]
