"""Numbers: the labels of regression, read in float64."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from freezebench.data.missing_labels import NUMBER, is_no_number
from freezebench.data.values import is_missing, kind_name, short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.data.bad_rows import Kind
    from freezebench.data.columns import Columns

# The square of a larger error is no float32.
_MOST = 1e18


def number_faults(columns: Columns) -> dict[int, tuple[Kind, str]]:
    """Return kind and fault of every row whose label is no finite number, by row number."""
    faults: dict[int, tuple[Kind, str]] = {}
    for row, label in enumerate(columns.labels):
        if (fault := _fault(label, is_typed=columns.table.is_typed)) is not None:
            faults[row] = fault
    return faults


def _fault(label: object, *, is_typed: bool) -> tuple[Kind, str] | None:
    if is_missing(label):
        return "no_label", "the label is missing"
    if isinstance(label, str):
        if not is_typed and is_no_number(label):
            return "no_label", f"the label is missing: {short(label.strip())} is no number"
        if not NUMBER.fullmatch(label.strip()):
            return "bad_label", f"the label {short(label.strip())} is no number"
    elif isinstance(label, bool) or not isinstance(label, (int, float)):
        return "bad_label", f"the label is {kind_name(label)}; numbers are labels of regression"
    if not _is_small(label):
        return "bad_label", f"the label {short(label)} is not finite or too large: its square is no float32"
    return None


def _is_small(label: str | float) -> bool:
    try:
        return abs(float(label)) <= _MOST
    except OverflowError:
        return False


def read_numbers(columns: Mapping[str, Columns]) -> tuple[dict[str, tuple[float, ...]], str]:
    """Return the labels by split; all have been checked. A note describes those of train.

    Raises:
        DataError: If train has one value alone.
    """
    numbers = {split: tuple(_number(label) for label in part.labels) for split, part in columns.items()}
    train, part = numbers["train"], columns["train"]
    if len(set(train)) == 1:
        raise DataError(
            f"{part.table.name}: every label in column {part.label_column!r} is {train[0]:g}, so there is nothing to "
            "learn. Set --freeze-label-column to another column."
        )
    mean, deviation = statistics.fmean(train), statistics.pstdev(train)
    note = (
        f"The labels of column {part.label_column!r} in train are numbers from {min(train):g} to "
        f"{max(train):g}, with mean {mean:.4g} and standard deviation {deviation:.4g}."
    )
    return numbers, note


def _number(label: object) -> float:
    if isinstance(label, (str, int, float)) and math.isfinite(number := float(label)):
        return number
    raise TypeError(f"{short(label)} should have been refused")
