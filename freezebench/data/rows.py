"""RowCollector: rows that come one by one as objects, collected into a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.data.bad_rows import BadRows
from freezebench.data.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection


class RowCollector:
    """Collects the requested columns of rows that come as dictionaries, and the rows that cannot be read.

    Attributes:
        bad_rows: Rows that could not be read.
    """

    def __init__(self, name: str, requested: Collection[str]) -> None:
        self._name = name
        self._columns: dict[str, list[object]] = {column: [] for column in requested}
        self._available: dict[str, None] = {}
        self._lines: list[int] = []
        self._num_rows = 0
        self.bad_rows = BadRows(name=name)

    def add(self, row: dict[str, object], line: int | None = None) -> None:
        """Add a row; a key that it lacks counts as null."""
        for key in row:
            self._available.setdefault(key)
        for column, values in self._columns.items():
            values.append(row.get(column))
        self._num_rows += 1
        if line is not None:
            self._lines.append(line)

    def table(self) -> Table:
        """Return the rows as a table."""
        return Table(
            name=self._name,
            columns={name: values for name, values in self._columns.items() if name in self._available},
            available=tuple(self._available),
            num_rows=self._num_rows,
            positions=self._lines or None,
            unit="line" if self._lines else "row",
            bad_rows=self.bad_rows if len(self.bad_rows) else None,
        )
