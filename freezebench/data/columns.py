"""Columns: of every split that is used, the columns of texts and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.data.values import is_unlabelled
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.table import Table
    from freezebench.specs.data import DataSpec

# A column of this name gives the classes their names, as in the data sets of SetFit.
LABEL_TEXT_COLUMN = "label_text"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of one split that are used.

    Attributes:
        table: The table that they come from; it names rows in messages.
        texts: Text columns by name: one, or two for pairs.
        label_column: Name of the label column.
        labels: Its values.
        label_texts: Values of the column ``label_text``; empty if there is none.
    """

    table: Table
    texts: Mapping[str, Sequence[object]]
    label_column: str
    labels: Sequence[object]
    label_texts: Sequence[object] = ()


def select_columns(
    spec: DataSpec, tables: Mapping[str, Table], *, drop_unlabelled: bool
) -> tuple[dict[str, Columns], tuple[str, ...]]:
    """Return the columns of every split that is used, and notes on splits that are not.

    Args:
        spec: Names the columns.
        tables: Tables by split.
        drop_unlabelled: Whether test and validation splits with withheld labels are left out.

    Raises:
        DataError: If a column does not exist, or the notebook's split rule has no test split to halve.
    """
    # Dropped splits are not checked further: their other columns may be missing or invalid.
    notes: tuple[str, ...] = ()
    if drop_unlabelled:
        tables, notes = _without_unlabelled(spec, tables)
    if spec.split_rule == "notebook":
        tables, more = _without_validation(spec, tables)
        notes += more
    _check_label_columns(spec, tables)
    return {split: take_columns(spec, table) for split, table in tables.items()}, notes


def _check_label_columns(spec: DataSpec, tables: Mapping[str, Table]) -> None:
    """Check that every split has a label column if train has.

    Raises:
        DataError: If one does not.
    """
    train = tables["train"]
    for table in tables.values():
        if table.num_rows and spec.label_column in train.columns and spec.label_column not in table.columns:
            raise DataError(
                f"{table.name} has no labels: it has no column {spec.label_column!r}, which {train.name} has. "
                "Add it, or leave this split out."
            )


def take_columns(spec: DataSpec, table: Table) -> Columns:
    """Return the columns of a table that a spec names.

    Raises:
        DataError: If the table has no rows, or no such column.
    """
    return Columns(
        table=table,
        texts={name: table.column(name, "--freeze-text-column") for name in spec.text_columns},
        label_column=spec.label_column,
        labels=table.column(spec.label_column, "--freeze-label-column"),
        label_texts=table.columns.get(LABEL_TEXT_COLUMN, ()),
    )


def _without_unlabelled(spec: DataSpec, tables: Mapping[str, Table]) -> tuple[Mapping[str, Table], tuple[str, ...]]:
    """Return the tables without test and validation splits whose labels are withheld, and notes on them.

    Benchmarks such as GLUE publish test sentences without labels, and a user of the Hub cannot remove them.
    """
    used = {
        split: table
        for split, table in tables.items()
        if split == "train" or not is_unlabelled(table.column(spec.label_column, "--freeze-label-column"))
    }
    return used, tuple(f"The {split} split is unlabelled and is not used." for split in tables if split not in used)


def _without_validation(spec: DataSpec, tables: Mapping[str, Table]) -> tuple[Mapping[str, Table], tuple[str, ...]]:
    """Return the tables without validation, which the notebook ignores, and a note on it.

    Raises:
        DataError: If there is no test split to halve.
    """
    if "test" not in tables:
        raise DataError(f"the notebook's split halves the test split, and {spec.source} has none. Add one.")
    ignored = tables.get("validation")
    note = f"The {ignored.num_rows} validation examples are ignored, as in the notebook." if ignored else None
    return {split: table for split, table in tables.items() if split != "validation"}, (note,) if note else ()
