"""Further test sets: data sets of their own, of which one split is used for testing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.data.columns import take_columns, with_word_columns
from freezebench.data.read import read_tables
from freezebench.data.task import FURTHER
from freezebench.data.values import is_unlabelled
from freezebench.errors import DataError

if TYPE_CHECKING:
    from freezebench.data.columns import Columns
    from freezebench.data.table import Table
    from freezebench.specs.data import DataSpec, NamedSource

_ORDER = ("test", "validation", "train")


def read_further(spec: DataSpec) -> tuple[dict[str, Columns], dict[str, tuple[str, ...]]]:
    """Return the columns of the further test sets, as splits called ``test:NAME``, and notes by these names.

    Args:
        spec: Names the test sets, and the columns of texts and labels, which are those of the own data.

    Raises:
        DataError: If a data set is missing or unreadable, or lacks a column of texts or labels.
    """
    columns: dict[str, Columns] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for item in spec.test_sets:
        name = f"{FURTHER}{item.name}"
        try:
            columns[name], notes[name] = _read(spec, item)
        except DataError as error:
            raise DataError(
                f"--freeze-test={item.name}={item.source}: {str(error).rstrip('.')}. Give a data set that has the "
                "columns of your own one, or leave this test set out."
            ) from error
    return columns, notes


def _read(spec: DataSpec, item: NamedSource) -> tuple[Columns, tuple[str, ...]]:
    own = replace(spec, source=item.source, split_rule="own", test_sets=())
    tables, notes, _ = read_tables(own, is_test_set=True)
    split, table = _chosen(own, tables)
    own = with_word_columns(own, table)
    notes += tuple(
        f"It has no column {name!r}, so {what} are not known."
        for name, what in ((spec.slice_column, "its slices"), (spec.group_column, "groups of its examples"))
        if name is not None and name not in table.columns
    )
    return take_columns(own, table), (f"Its split {split} is used.", *notes)


def _chosen(spec: DataSpec, tables: dict[str, Table]) -> tuple[str, Table]:
    """Return the split that is used for testing: ``test``, else ``validation``, else the only one.

    Benchmarks such as GLUE publish test sentences without labels, which are of no use.
    """
    named = [(split, tables[split]) for split in _ORDER if split in tables]
    for split, table in named:
        if not is_unlabelled(take_columns(with_word_columns(spec, table), table).labels):
            return split, table
    return named[0]
