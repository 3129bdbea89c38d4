"""Usable rows: of every split, the rows with a text and a label; others are an error, or are left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.data.bad_rows import drop_note, dropped_counts, nothing_left, refusal
from freezebench.data.columns import take_columns
from freezebench.data.label_lists import joined_classes
from freezebench.data.multi_label import MISSING
from freezebench.data.targets import row_faults
from freezebench.data.values import is_missing, is_unlabelled, short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.bad_rows import BadRows
    from freezebench.data.columns import Columns
    from freezebench.specs.data import DataSpec
    from freezebench.specs.names import TaskName


def usable_rows(
    spec: DataSpec, columns: Mapping[str, Columns], label_names: Sequence[str] | None, task: TaskName
) -> tuple[dict[str, Columns], dict[str, dict[str, int]] | None, tuple[str, ...]]:
    """Return the columns without bad rows, how many were left out by split and kind, and notes on them.

    Args:
        spec: Says whether bad rows are an error.
        columns: Columns by split, ``train`` among them.
        label_names: The model's class names, which a label of -1 may not belong to.
        task: What is learned, which decides what is usable.

    Raises:
        DataError: If a split has no label at all, or a row is bad and is not to be left out, or all rows are.
    """
    for part in columns.values():
        _check_labelled(part)
    faults = row_faults(task, columns, label_names)
    bad = {split: part.table.bad(faults[split]) for split, part in columns.items()}
    all_bad = [rows for split in columns for rows in bad[split] if len(rows)]
    if not all_bad:
        return dict(columns), None, ()
    if spec.bad_rows == "error":
        _check_several(spec, task, columns, faults, all_bad)
        raise refusal(all_bad, _num_rows(columns))
    for split, part in columns.items():
        if len(faults[split]) == part.table.num_rows:
            raise nothing_left([rows for rows in bad[split] if len(rows)])
    kept = {
        split: _without(spec, part, faults[split]) if any(map(len, bad[split])) else part
        for split, part in columns.items()
    }
    notes = tuple(
        drop_note(rows, file.num_rows + len(file.bad_rows or ()))
        for split, part in columns.items()
        for rows, file in zip(bad[split], part.table.files, strict=True)
        if len(rows)
    )
    return kept, dropped_counts(bad), notes


def _without(spec: DataSpec, columns: Columns, rows: Mapping[int, object]) -> Columns:
    """Return the columns without some rows; a further test set may have columns of other names."""
    own = replace(spec, text_columns=tuple(columns.texts), label_column=columns.label_column)
    return take_columns(own, columns.table.without(rows))


def _check_several(
    spec: DataSpec,
    task: TaskName,
    columns: Mapping[str, Columns],
    faults: Mapping[str, Mapping[int, tuple[str, str]]],
    all_bad: Sequence[BadRows],
) -> None:
    """Refuse bad rows with a further sentence where texts may have several labels, or none of them.

    Raises:
        DataError: If a list of labels is missing, or the classes look like such lists.
    """
    kinds = {fault for of_split in faults.values() for fault in of_split.values()}
    reason = str(refusal(all_bad, _num_rows(columns))).rstrip(".")
    if any(fault == MISSING for _, fault in kinds):
        raise DataError(
            f"{reason}. If a text without labels has none of them, write [], an empty list; --freeze-bad-rows=drop "
            "would remove it from training and test."
        )
    if task != "sequence-classification" or spec.task is not None or "no_label" not in {kind for kind, _ in kinds}:
        return
    names = {label for label in columns["train"].labels if isinstance(label, str) and not is_missing(label)}
    joined = joined_classes(sorted(names))
    if joined is not None:
        raise DataError(
            f"{reason}. Use --freeze-task=multi-label if labels such as {short(joined[1][0])} are several, with [] "
            "where a text has none."
        )


def _num_rows(columns: Mapping[str, Columns]) -> int:
    tables = [part.table for part in columns.values()]
    return sum(table.num_rows + sum(len(file.bad_rows or ()) for file in table.files) for table in tables)


def _check_labelled(columns: Columns) -> None:
    """Check that a split has labels.

    Raises:
        DataError: If all of them are withheld.
    """
    if columns.labels and is_unlabelled(columns.labels):
        raise DataError(
            f"{columns.table.name} is unlabelled: its column {columns.label_column!r} holds {columns.labels[0]!r} "
            "everywhere. Give labels, or leave this split out."
        )
