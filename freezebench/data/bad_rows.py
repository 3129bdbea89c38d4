"""Bad rows: rows of a data set that cannot be used, as they are listed in an error and counted in a record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Kinds are keys in records: more may be added, but none renamed.
Kind = Literal["unreadable", "no_text", "bad_text", "no_label", "bad_label"]
_WORDS: dict[Kind, str] = {
    "unreadable": "not readable as a row",
    "no_text": "without a text",
    "bad_text": "with a text that cannot be used",
    "no_label": "without a label",
    "bad_label": "with a label that cannot be used",
}
MAX_LISTED = 10


@dataclass(frozen=True, kw_only=True, order=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        position: Line of its file where it starts, or its number where rows are not lines; both count from 1.
        place: The same for a message: ``line 3``.
        kind: What it is counted as.
        fault: What is wrong with it, as a clause.
    """

    position: int
    place: str = field(compare=False)
    kind: Kind = field(compare=False)
    fault: str = field(compare=False)


@dataclass(kw_only=True)
class BadRows:
    """The bad rows of one file: all are counted, and the first ones are kept for a message.

    Attributes:
        name: The file, or what else messages call the table.
        counts: Number of bad rows by kind.
        first: The first ones.
    """

    name: str
    counts: Counter[Kind] = field(default_factory=Counter)
    first: list[BadRow] = field(default_factory=list)

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, bad_row: BadRow) -> None:
        """Add a row; rows of one kind come in the order of the file."""
        self.counts[bad_row.kind] += 1
        # A file of another format has a million of them, which are not to fill the memory.
        if len(self.first) < MAX_LISTED:
            self.first.append(bad_row)

    def add_line(self, line: int, fault: str) -> None:
        """Add a line that could not be read as a row."""
        self.add(BadRow(position=line, place=f"line {line}", kind="unreadable", fault=fault))

    def extended(self, others: Iterable[BadRow]) -> BadRows:
        """Return these bad rows and others of the same file."""
        both = BadRows(name=self.name, counts=self.counts.copy())
        rows = list(others)
        both.counts.update(row.kind for row in rows)
        both.first = sorted([*self.first, *rows])[:MAX_LISTED]
        return both


def refusal(all_bad: Sequence[BadRows], num_rows: int) -> DataError:
    """Return the error that lists bad rows with file and line, the first ones if there are many.

    Args:
        all_bad: Bad rows by file.
        num_rows: Number of all rows of all files.
    """
    listed, count = _listed(all_bad), sum(map(len, all_bad))
    if count == 1:
        return DataError(f"{listed}. Correct or remove the row, or leave it out with --freeze-bad-rows=drop.")
    return DataError(
        f"{listed}. {count} of {num_rows} rows cannot be used: correct or remove them, or leave them out with "
        "--freeze-bad-rows=drop."
    )


def nothing_left(all_bad: Sequence[BadRows]) -> DataError:
    """Return the error on a split that has no other rows than these."""
    return DataError(f"{_listed(all_bad)}. No row of this split can be used: correct them, or leave the split out.")


def _listed(all_bad: Sequence[BadRows]) -> str:
    places = []
    for bad in all_bad:
        for number, row in enumerate(bad.first):
            # The name of a file is long: it is given once.
            place = f"{bad.name}, {row.place}" if number == 0 else row.place
            places.append(f"{place}: {row.fault}")
    count = sum(map(len, all_bad))
    more = f"; and {count - MAX_LISTED} more" if count > MAX_LISTED else ""
    return "; ".join(places[:MAX_LISTED]) + more


def drop_note(bad: BadRows, num_rows: int) -> str:
    """Return the sentence on the rows of one file that were left out."""
    parts = ", ".join(f"{count} {_WORDS[kind]}" for kind, count in sorted(bad.counts.items()))
    return f"Bad rows: {len(bad)} of {num_rows} rows of {bad.name} were left out (--freeze-bad-rows=drop): {parts}."


def dropped_counts(by_split: Mapping[str, Sequence[BadRows]]) -> dict[str, dict[str, int]]:
    """Return the numbers of rows that were left out by split and kind, for a record."""
    totals: dict[str, Counter[Kind]] = {}
    for split, all_bad in by_split.items():
        for bad in all_bad:
            totals.setdefault(split, Counter()).update(bad.counts)
    return {split: dict(sorted(total.items())) for split, total in totals.items() if total}
