"""Class names: what classes are called whose labels are whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.data.columns import LABEL_TEXT_COLUMN
from freezebench.data.task import FURTHER
from freezebench.data.values import label_list, unfit
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.data.columns import Columns


def class_names(
    columns: Mapping[str, Columns],
    values: Mapping[str, Sequence[int]],
    classes: Sequence[int],
    model_names: tuple[str, ...],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the name of every class, and notes.

    Names come from the format (``ClassLabel``), else the column ``label_text``, else the model, else the labels.

    Args:
        columns: Columns by split.
        values: Labels by split.
        classes: The different labels of train, in ascending order.
        model_names: The model's class names.

    Raises:
        DataError: If the format names its labels differently in two splits, or not all of them.
    """
    names, note = _label_texts(columns, values, classes)
    notes = (note,) if note else ()
    format_names = shared_names(columns)
    if format_names:
        _check_named(columns, values, format_names)
        return tuple(format_names[label] for label in classes), notes
    if names:
        return names, notes
    fits = list(classes) == list(range(len(model_names)))
    return model_names if fits else tuple(map(str, classes)), notes


def _check_named(
    columns: Mapping[str, Columns], values: Mapping[str, Sequence[int]], class_names: Sequence[str]
) -> None:
    """Check that the format names every label.

    Raises:
        DataError: If it does not.
    """
    for split, labels in values.items():
        row = next((row for row, label in enumerate(labels) if not 0 <= label < len(class_names)), None)
        if row is not None:
            raise DataError(
                f"{columns[split].table.location(row)}: label {labels[row]} has no name: the file names "
                f"{label_list(class_names)} as 0 to {len(class_names) - 1}. Correct the label or the names."
            )


def shared_names(columns: Mapping[str, Columns]) -> tuple[str, ...] | None:
    """Return the class names that the format carries, the same in all splits.

    Raises:
        DataError: If two splits number their classes differently.
    """
    named = [(part.table.name, part.class_names) for part in columns.values() if part.class_names]
    for name, class_names in named[1:]:
        first_name, first_class_names = named[0]
        if class_names != first_class_names:
            raise DataError(
                f"{first_name} and {name} number their classes differently: {label_list(first_class_names)} "
                f"and {label_list(class_names)}. Write them with the same class names."
            )
    return named[0][1] if named else None


def _label_texts(
    columns: Mapping[str, Columns], values: Mapping[str, Sequence[int]], classes: Sequence[int]
) -> tuple[tuple[str, ...], str | None]:
    """Return the class names in the column ``label_text``, and a note if it does not map one to one."""
    texts: dict[int, str] = {}
    for split, split_columns in columns.items():
        if split.startswith(FURTHER):  # which may call the classes otherwise
            continue
        # strict=False, since a split without that column has no label texts.
        for label, text in zip(values[split], split_columns.label_texts, strict=False):
            usable = isinstance(text, str) and text.strip() and not unfit(text)
            if not usable or texts.setdefault(label, str(text)) != text:
                return (), f"The column {LABEL_TEXT_COLUMN!r} is not used: it does not name every label in one way."
    names = tuple(texts[label] for label in classes if label in texts)
    if len(set(names)) < len(classes):
        note = f"The column {LABEL_TEXT_COLUMN!r} is not used: it does not tell the labels apart." if texts else None
        return (), note
    return names, None
