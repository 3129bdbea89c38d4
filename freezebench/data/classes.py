"""Classes of rows of labels or tags: their order, and whether train has all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard, TypeVar

from freezebench.data.label_lists import joined_separator
from freezebench.data.task import FURTHER
from freezebench.data.values import label_list, short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezebench.data.columns import Columns

_Label = TypeVar("_Label")


def with_model_names(
    rows: Mapping[str, Sequence[Sequence[_Label]]], model_names: Sequence[str]
) -> dict[str, list[list[_Label | str]]] | None:
    """Return the labels of every row under the model's class names, matched without regard to case.

    ``None`` unless it names every label that occurs in train.
    """
    by_name = {name.strip().casefold(): name for name in model_names}
    # Names that differ in case alone cannot be matched so.
    if not by_name or len(by_name) < len(model_names):
        return None
    if not all(isinstance(label, str) and label.casefold() in by_name for row in rows["train"] for label in row):
        return None
    return {
        split: [
            [by_name.get(label.casefold(), label) if isinstance(label, str) else label for label in row]
            for row in of_split
        ]
        for split, of_split in rows.items()
    }


def check_known(
    columns: Mapping[str, Columns], rows: Mapping[str, Iterable[Sequence[object]]], classes: Sequence[object]
) -> None:
    """Check that every label of every split occurs in train, or is a class of the model.

    Args:
        columns: Columns by split, for the places of rows.
        rows: The labels of every row by split.
        classes: Those of train, or of the model.

    Raises:
        DataError: If one does not: a class that training never saw cannot be predicted.
    """
    known = set(classes)
    for split, of_split in rows.items():
        unknown: list[tuple[int, object]] = []
        num_labels = 0
        for number, row in enumerate(of_split):
            num_labels += len(row)
            if not known.issuperset(row):
                unknown += [(number, label) for label in row if label not in known]
        if unknown:
            number, label = unknown[0]
            raise DataError(
                f"{columns[split].table.location(number)}: label {short(label)} never occurs in "
                f"{columns['train'].table.name}, which has {label_list(classes)}; {len(unknown)} of {num_labels} "
                f"labels are unknown. {_advice(split, label, classes, columns['train'].table.name)}"
            )


def _advice(split: str, label: object, classes: Sequence[object], train: str) -> str:
    """Return what to do about a label that never occurs in train."""
    is_further = split.startswith(FURTHER)
    separator = joined_separator(label, filter(_is_text, classes)) if isinstance(label, str) else None
    if separator is not None:
        leave = "leave the test set out (--freeze-test)" if is_further else "leave this split out"
        return (
            f"Its names are right, and it joins several of them by {separator!r}. Write them as {train} does, or "
            f"{leave}."
        )
    if is_further:
        return "Make a copy of the test set with the class names of your data, or leave it out (--freeze-test)."
    return "Correct the labels, or leave this split out."


def _is_text(label: object) -> TypeGuard[str]:
    return isinstance(label, str)
