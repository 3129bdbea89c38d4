"""Table: the columns of one split as they were read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freezebench.data.values import listed, short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_COLUMNS = 20


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one file, or of one split of a Hub data set.

    Attributes:
        name: Name in messages: a path, or ``SetFit/sst2, split train``.
        columns: Values of the requested columns that exist, all of equal length.
        available: Names of all columns.
        num_rows: Number of rows.
        lines: Line of the file where each row starts, counted from 1; ``None`` if rows are not lines.
        class_names: Name of label 0, 1, … if the format carries them (``ClassLabel``).
    """

    name: str
    columns: Mapping[str, Sequence[object]] = field(repr=False)
    available: tuple[str, ...]
    num_rows: int
    lines: Sequence[int] | None = field(default=None, repr=False)
    class_names: tuple[str, ...] | None = None

    def location(self, row: int) -> str:
        """Return the location of a row for a message: ``train.csv, line 3``; ``row`` counts from 0."""
        return f"{self.name}, line {self.lines[row]}" if self.lines is not None else f"{self.name}, row {row + 1}"

    def column(self, name: str, option: str) -> Sequence[object]:
        """Return a column.

        Args:
            name: Its name.
            option: The option that chooses this column, for the message.

        Raises:
            DataError: If there are no rows, or no such column.
        """
        if not self.num_rows:
            raise DataError(f"{self.name} has no rows. Put at least one example in it, or leave it out.")
        if name not in self.columns:
            columns = listed(self.available, short, _MAX_COLUMNS) or "none"
            raise DataError(f"{self.name} has no column {name!r}: it has {columns}. Set {option}.")
        return self.columns[name]
