"""Columns: of every split that is used, the columns of texts and labels, and of slices and groups."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from freezebench.data.values import is_unlabelled
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.table import Table
    from freezebench.specs.data import DataSpec

# The usual columns of words and of their tags, which are read where a data set has no others.
WORDS, TAGS = "tokens", ("tags", "ner_tags", "labels")
_DEFAULT_TEXT, _DEFAULT_LABEL = "text", "label"
# A column of this name gives the classes their names, as in the data sets of SetFit.
LABEL_TEXT_COLUMN = "label_text"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of one split that are used.

    Attributes:
        table: The table that they come from; it names rows in messages.
        texts: Text columns by name: one, or two for pairs.
        label_column: Name of the label column, or names of several with commas between.
        labels: Its values; of several columns, the list of their values for every row.
        label_texts: Values of the column ``label_text``; empty if there is none.
        indicators: Names of several label columns, each of one label; empty if there is one column.
        slice_column: Name of the slice column; empty: none is named.
        group_column: Name of the group column; empty: none is named.
    """

    table: Table
    texts: Mapping[str, Sequence[object]]
    label_column: str
    labels: Sequence[object]
    label_texts: Sequence[object] = ()
    indicators: tuple[str, ...] = ()
    slice_column: str = ""
    group_column: str = ""

    @property
    def slices(self) -> Sequence[object]:
        """Values of the slice column; empty if there is none."""
        return self.table.columns.get(self.slice_column, ())

    @property
    def groups(self) -> Sequence[object]:
        """Values of the group column; empty if there is none."""
        return self.table.columns.get(self.group_column, ())

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of label 0, 1, … if the format carries them."""
        return self.table.class_names.get(self.label_column, ())


def requested_columns(spec: DataSpec) -> tuple[str, ...]:
    """Return the names of the columns to read, as far as a file has them."""
    others = [name for name in (spec.slice_column, spec.group_column) if name is not None]
    words = [WORDS] if spec.text_columns == (_DEFAULT_TEXT,) else []
    tags = TAGS if spec.label_column == _DEFAULT_LABEL else ()
    labels = [spec.label_column, *spec.label_columns]
    return tuple(dict.fromkeys([*spec.text_columns, *labels, LABEL_TEXT_COLUMN, *words, *tags, *others]))


def with_word_columns(spec: DataSpec, table: Table) -> DataSpec:
    """Return the spec with the columns of words and tags that a table has in place of the default columns.

    Where the task is stated, they come before columns of texts and labels.
    """
    is_stated = spec.task == "token-classification"
    is_missing = {name for name in (_DEFAULT_TEXT, _DEFAULT_LABEL) if is_stated or name not in table.columns}
    if spec.text_columns == (_DEFAULT_TEXT,) and _DEFAULT_TEXT in is_missing and _has_lists(table, WORDS):
        spec = replace(spec, text_columns=(WORDS,))
    if spec.label_column == _DEFAULT_LABEL and _DEFAULT_LABEL in is_missing and spec.text_columns == (WORDS,):
        label_column = next((name for name in TAGS if _has_lists(table, name)), _DEFAULT_LABEL)
        spec = replace(spec, label_column=label_column)
    return spec


def _has_lists(table: Table, column: str) -> bool:
    return any(isinstance(value, list) for value in table.columns.get(column, ()))


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
    _check_test_columns(spec, tables)
    return {split: take_columns(spec, table) for split, table in tables.items()}, notes


def _check_label_columns(spec: DataSpec, tables: Mapping[str, Table]) -> None:
    """Check that every split has a label column if train has.

    Raises:
        DataError: If one does not.
    """
    train = tables["train"]
    for name in label_columns(spec, train):
        for table in tables.values():
            if table.num_rows and name in train.columns and name not in table.columns:
                raise DataError(
                    f"{table.name} has no labels: it has no column {name!r}, which {train.name} has. "
                    "Add it, or leave this split out."
                )


def _check_test_columns(spec: DataSpec, tables: Mapping[str, Table]) -> None:
    """Check that the split that the test examples come from has the columns of slices and groups.

    Raises:
        DataError: If it has not.
    """
    # A test split that is missing is drawn from validation, or from train.
    table = next(tables[split] for split in ("test", "validation", "train") if split in tables)
    for name, option in ((spec.slice_column, "--freeze-slice-column"), (spec.group_column, "--freeze-group-column")):
        if name is not None and table.is_by_word:
            raise DataError(
                f"{option}={name}: {table.name} is a CoNLL file, whose columns have a value per word and none per "
                f"sentence. Write .jsonl files with the columns {WORDS} and {TAGS[0]}, and this one."
            )
        if name is not None:
            table.column(name, option)


def label_columns(spec: DataSpec, table: Table) -> tuple[str, ...]:
    """Return the label columns; one whose own name has a comma is one column."""
    return (spec.label_column,) if spec.label_column in table.columns else spec.label_columns


def take_columns(spec: DataSpec, table: Table) -> Columns:
    """Return the columns of a table that a spec names.

    Raises:
        DataError: If the table has no rows, or no such column.
    """
    texts = {name: table.column(name, "--freeze-text-column") for name in spec.text_columns}
    names = label_columns(spec, table)
    return Columns(
        table=table,
        texts=texts,
        label_column=spec.label_column,
        labels=labels_of(spec, table),
        label_texts=table.columns.get(LABEL_TEXT_COLUMN, ()),
        indicators=names if len(names) > 1 else (),
        slice_column=spec.slice_column or "",
        group_column=spec.group_column or "",
    )


def labels_of(spec: DataSpec, table: Table) -> Sequence[object]:
    """Return the labels of a table; of several columns, the list of their values for every row.

    Raises:
        DataError: If the table has no rows, or no such column.
    """
    labels = [table.column(name, "--freeze-label-column") for name in label_columns(spec, table)]
    return labels[0] if len(labels) == 1 else list(map(list, zip(*labels, strict=True)))


def _without_unlabelled(spec: DataSpec, tables: Mapping[str, Table]) -> tuple[Mapping[str, Table], tuple[str, ...]]:
    """Return the tables without test and validation splits whose labels are withheld, and notes on them.

    Benchmarks such as GLUE publish test sentences without labels, and a user of the Hub cannot remove them.
    """
    used = {
        split: table for split, table in tables.items() if split == "train" or not is_unlabelled(labels_of(spec, table))
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
