"""Groups: which test examples are one unit of an interval, and the slices that are judged one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.data.values import is_missing, label_list
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

NO_SLICE = "(none)"
_MAX_SLICES = 100


def category(value: object, names: Sequence[str] = ()) -> str | None:
    """Return the value of a slice or group column as text; ``None`` if it is missing.

    Args:
        value: A value.
        names: Names of the numbers 0, 1, … if the format carries them.
    """
    if is_missing(value):
        return None
    if isinstance(value, float) and value.is_integer():  # whole numbers beside a missing one are floats in pandas
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return names[value]
    return str(value).strip()


def linked(*keys: Iterable[Hashable | None]) -> tuple[int, ...]:
    """Return the number of every example's unit: examples with an equal key are of one unit, and so are theirs.

    Args:
        keys: Of every kind, the key of every example; ``None`` links no examples.
    """
    rows = list(zip(*keys, strict=True))
    parents = list(range(len(rows)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    first: dict[tuple[int, Hashable], int] = {}
    for number, row in enumerate(rows):
        for kind, key in enumerate(row):
            if key is not None:
                parents[root(number)] = root(first.setdefault((kind, key), number))
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(root(number), len(numbers)) for number in range(len(rows)))


def slices_of(
    values: Sequence[str] | None, column: str | None, name: str
) -> tuple[tuple[int, ...] | None, tuple[str, ...]]:
    """Return the number of every example's slice, and the names of the slices; neither if there is no column.

    Args:
        values: The slice of every example.
        column: Name of the column.
        name: What messages call the test set.

    Raises:
        DataError: If there are too many slices to judge each.
    """
    if values is None:
        return None, ()
    names = sorted(set(values))
    if len(names) > _MAX_SLICES:
        raise DataError(
            f"column {column!r} divides {name} into {len(names):,} slices ({label_list(names)}), and at most "
            f"{_MAX_SLICES} can be judged. Set --freeze-slice-column to a column of few values."
        )
    number_of = {value: number for number, value in enumerate(names)}
    return tuple(number_of[value] for value in values), tuple(names)
