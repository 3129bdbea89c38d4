"""RowCollector: rows that come one by one as objects, collected into a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from freezebench.data.bad_rows import BadRow, BadRows
from freezebench.data.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection


class RowCollector:
    """Collects the requested columns of rows that come as dictionaries, and the rows that cannot be read.

    Attributes:
        bad_rows: Rows that could not be read.
    """

    def __init__(self, name: str, requested: Collection[str], unit: Literal["line", "row"] = "line") -> None:
        """Take the table's name, the columns to keep, and what positions count."""
        self._name, self._unit = name, unit
        self._columns: dict[str, list[object]] = {column: [] for column in requested}
        self._available: dict[str, None] = {}
        self._positions: list[int] = []
        self.bad_rows = BadRows(name=name)

    def add(self, row: dict[str, object], position: int) -> None:
        """Add a row; a key that it lacks counts as null."""
        for key in row:
            self._available.setdefault(key)
        for column, values in self._columns.items():
            values.append(row.get(column))
        self._positions.append(position)

    def add_bad(self, position: int, fault: str) -> None:
        """Add what could not be read as a row."""
        place = f"{self._unit} {position}"
        self.bad_rows.add(BadRow(position=position, place=place, kind="unreadable", fault=fault))

    def table(self) -> Table:
        """Return the rows as a table."""
        return Table(
            name=self._name,
            columns={name: values for name, values in self._columns.items() if name in self._available},
            available=tuple(self._available),
            num_rows=len(self._positions),
            positions=self._positions,
            unit=self._unit,
            bad_rows=self.bad_rows if len(self.bad_rows) else None,
        )
