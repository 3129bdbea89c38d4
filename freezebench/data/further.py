"""Further test sets: data sets of their own, of which one split is used for testing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from freezebench.data.columns import label_columns, labels_of, take_columns, with_word_columns
from freezebench.data.label_lists import with_label_lists
from freezebench.data.read import read_tables
from freezebench.data.table import Table
from freezebench.data.task import FURTHER
from freezebench.data.values import is_unlabelled, short
from freezebench.errors import DataError
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.data.columns import Columns
    from freezebench.specs.data import DataSpec, NamedSource

_MOST_NAMED = 20
_ORDER = ("test", "validation", "train")


def read_further(
    spec: DataSpec, train: Columns, separator: str | None = None
) -> tuple[dict[str, Columns], dict[str, tuple[str, ...]]]:
    """Return the columns of the further test sets, as splits called ``test:NAME``, and notes by these names.

    Args:
        spec: Names the test sets, and the columns of texts and labels, which are those of the own data.
        train: The own training examples, whose classes the labels are.
        separator: What separates several labels in the texts of the own data.

    Raises:
        DataError: If a data set is missing or unreadable, or lacks a column of texts or labels.
    """
    columns: dict[str, Columns] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for item in spec.test_sets:
        name = f"{FURTHER}{item.name}"
        try:
            columns[name], notes[name] = _read(spec, item, train, separator)
        except DataError as error:
            raise DataError(
                f"--freeze-test={item.name}={item.source}: {str(error).rstrip('.')}. Leave this test set out if it "
                "cannot be corrected."
            ) from error
    return columns, notes


def _read(spec: DataSpec, item: NamedSource, train: Columns, separator: str | None) -> tuple[Columns, tuple[str, ...]]:
    own = replace(spec, source=item.source, split_rule="own", test_sets=())
    tables, notes, _ = read_tables(own, is_test_set=True)
    _check_columns(own, tables)
    split, table = _chosen(own, tables)
    own = with_word_columns(own, table)
    notes += tuple(
        f"The test set {item.name} has no column {name!r}, so its {what} are not known."
        for name, what in ((spec.slice_column, "slices"), (spec.group_column, "groups"))
        if name is not None and name not in table.columns
    )
    table = _with_own_labels(with_label_lists(table, own.label_column, separator), own.label_column, train)
    return take_columns(own, table), (f"The test set {item.name} is the {split} split of {item.source}.", *notes)


def _check_columns(spec: DataSpec, tables: dict[str, Table]) -> None:
    """Check that a test set has the columns of the own data, whose names no option could change for it alone.

    Raises:
        DataError: If it lacks one.
    """
    for table in tables.values():
        own = with_word_columns(spec, table)
        names = (*own.text_columns, *label_columns(own, table))
        missing = [name for name in names if name not in table.columns]
        if missing and table.num_rows:
            raise DataError(
                f"{table.name} has no column {missing[0]!r}, as your own data have: it has "
                f"{listed(table.available, _MOST_NAMED, short) or 'none'}. Make a copy of it with the column names of "
                "your own data."
            )


def _chosen(spec: DataSpec, tables: dict[str, Table]) -> tuple[str, Table]:
    """Return the split that is used for testing: ``test``, else ``validation``, else the only one.

    Benchmarks such as GLUE publish test sentences without labels, which are of no use.
    """
    named = [(split, tables[split]) for split in _ORDER if split in tables]
    for split, table in named:
        if not is_unlabelled(labels_of(with_word_columns(spec, table), table)):
            return split, table
    return named[0]


def _with_own_labels(table: Table, column: str, train: Columns) -> Table:
    """Return a table whose labels are numbers or names as those of the own data are.

    ``0`` with the name ``negative`` is the class ``negative`` of data that have names, and the other way round. Names
    are matched without regard to case.
    """
    theirs, ours = table.class_names.get(column, ()), train.class_names
    values: Sequence[object] = table.columns.get(column, ())
    spellings = {_folded(name): name for name in _names(train.labels)}
    if table.parts:
        return Table.joined(table.name, [_with_own_labels(part, column, train) for part in table.parts])
    if column not in table.columns or theirs == ours != ():
        return table
    if theirs and (ours or spellings):
        values = [_each(value, lambda item: theirs[item] if _is_index(item, theirs) else item) for value in values]
    own: dict[str, object] = {_folded(name): number for number, name in enumerate(ours)} or {**spellings}
    values = [_each(value, lambda item: own.get(_folded(item), item)) for value in values]
    names = {name: of_column for name, of_column in table.class_names.items() if name != column}
    return replace(table, columns={**table.columns, column: values}, class_names=names)


def _each(value: object, change: Callable[[Any], object]) -> object:
    """Return a label with a change, or a list of labels with a change of each."""
    return [change(item) for item in value] if isinstance(value, list) else change(value)


def _names(labels: Sequence[object]) -> set[str]:
    """Return the labels that are strings; none if two of them differ in case alone."""
    items = (item for label in labels for item in (label if isinstance(label, list) else [label]))
    names = {item.strip() for item in items if isinstance(item, str)}
    return names if len(set(map(_folded, names))) == len(names) else set()


def _is_index(item: object, names: Sequence[str]) -> bool:
    return isinstance(item, int) and not isinstance(item, bool) and 0 <= item < len(names)


def _folded(item: object) -> str:
    return item.strip().casefold() if isinstance(item, str) else ""
