"""The task of a data set: what the user stated, else what the model's head was fine-tuned for, else what the data are.

What the columns hold decides which tasks are possible::

    texts     labels                         what is usual               what else is possible
    words     lists of tags                  token-classification
    strings   lists                          multi-label
    strings   numbers, some with fractions   regression
    strings   whole numbers                  sequence-classification     regression
    strings   names                          sequence-classification     multi-label, if stated: names with a separator
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.data.missing_labels import NUMBER, is_no_number
from freezebench.data.values import is_missing, is_unlabelled, short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from freezebench.data.columns import Columns
    from freezebench.specs.data import DataSpec
    from freezebench.specs.names import TaskName

# Numbers beyond are no floats, or soon are none.
_MOST = 1e300
# A decimal comma, or commas between thousands.
_WITH_COMMA = re.compile(r"[+-]?[0-9]+([.,][0-9]+)*,[0-9]+([.,][0-9]+)*", re.ASCII)
# Splits of further test sets are called test:NAME.
FURTHER = "test:"

_USUAL: dict[str, TaskName] = {
    "words": "token-classification",
    "lists": "multi-label",
    "fractions": "regression",
    "whole numbers": "sequence-classification",
    "names": "sequence-classification",
}
_POSSIBLE: dict[TaskName, tuple[str, ...]] = {
    "token-classification": ("words",),
    "multi-label": ("lists",),
    "regression": ("fractions", "whole numbers"),
    "sequence-classification": ("whole numbers", "names"),
}
_DESCRIBED = {
    "words": "texts that are lists of words",
    "lists": "several labels per text",
    "fractions": "numbers with fractions as labels",
    "whole numbers": "whole numbers as labels",
    "names": "names as labels",
}


@dataclass(frozen=True)
class _Kind:
    """What the labels are, with an example's place and label for messages."""

    name: str
    place: str
    label: object


def resolve_task(
    stated: TaskName | None, model_task: TaskName | None, columns: Mapping[str, Columns]
) -> tuple[TaskName, str | None]:
    """Return the task, and a note on where it comes from; no note for a classifier of texts.

    Args:
        stated: What ``--freeze-task`` says; it comes first.
        model_task: The task of a fine-tuned head; ``None``: the model has none.
        columns: Columns by split, ``train`` among them.

    Raises:
        DataError: If the data do not fit the task that was stated or that the model has.
    """
    own = {split: part for split, part in columns.items() if not split.startswith(FURTHER)}
    kind = _kind(own)
    task = stated or model_task or _USUAL[kind.name]
    possible = _POSSIBLE[task]
    # Where numbers are expected, a few other labels are bad rows.
    if stated == "multi-label" or (task == "regression" and _are_mostly_numbers(own)):
        possible += ("names",)
    if kind.name not in possible:
        raise _mismatch(task, kind, columns["train"], is_stated=stated is not None)
    if task == "sequence-classification":
        return task, None
    if stated:
        reason = "--freeze-task or a marker says so"
    elif model_task:
        reason = "the model's head was fine-tuned for it"
    else:
        # The note is in the report, which has no text of the data.
        example = "" if kind.name == "words" else f", such as {short(kind.label)}"
        reason = f"the data have {_DESCRIBED[kind.name]}{example}"
    return task, f"The task is {task}: {reason}."


def check_further(spec: DataSpec, task: TaskName, further: Mapping[str, Columns]) -> None:
    """Check that most rows of further test sets are of the task of the own data; a few others are bad rows.

    Args:
        spec: Names the test sets.
        task: The task of the own data.
        further: Columns of the test sets, as splits called ``test:NAME``.

    Raises:
        DataError: If those of one are of another task.
    """
    for item in spec.test_sets:
        part = further[f"{FURTHER}{item.name}"]
        rows = [row for row in zip(next(iter(part.texts.values())), part.labels, strict=True) if not is_missing(row[1])]
        num_fitting, kind = sum(_fits(task, *row) for row in rows), _kind({"train": part})
        # Where several labels are stated, one text may have their names.
        is_possible = kind.name in _POSSIBLE[task] or spec.task == "multi-label"
        if is_possible or 2 * num_fitting >= len(rows) or is_unlabelled(part.labels):
            continue
        if task == "multi-label" and kind.name == "names":
            raise DataError(
                f"--freeze-test={item.name}={item.source}: {kind.place}: its labels are names, such as "
                f"{short(kind.label)}, and your own data have lists of them. Write lists such as ['a', 'b'] there, "
                "too, or leave this test set out."
            )
        example = "" if kind.name == "words" else f", such as {short(kind.label)}"
        raise DataError(
            f"--freeze-test={item.name}={item.source}: {kind.place}: it has {_DESCRIBED[kind.name]}{example}, which "
            f"are for {_USUAL[kind.name]}, and the task of your own data is {task}. Give a test set for {task}, or "
            "leave this one out."
        )


def _fits(task: TaskName, text: object, label: object) -> bool:
    """Return whether a row may be one of a task."""
    if task == "token-classification" or isinstance(text, list):
        return task == "token-classification" and isinstance(text, list)
    if task == "regression":
        return _number(label) is not None
    return isinstance(label, list) == (task == "multi-label") and not _is_fraction(label)


def _mismatch(task: TaskName, kind: _Kind, train: Columns, *, is_stated: bool) -> DataError:
    source = "--freeze-task" if is_stated else "the task that the model's head was fine-tuned for"
    fits, described = _USUAL[kind.name], _DESCRIBED[kind.name]
    if kind.name == "words":
        return DataError(
            f"{kind.place}: {task} ({source}) is about whole texts, and the column {next(iter(train.texts))!r} holds "
            "lists of words. Use --freeze-task=token-classification, or name a column of texts with "
            "--freeze-text-column."
        )
    if task == "token-classification":
        return DataError(
            f"{kind.place}: token-classification ({source}) needs lists of words and of tags, and the data have "
            f"{described}, such as {short(kind.label)}. Name such columns with --freeze-text-column and "
            f"--freeze-label-column, or use --freeze-task={fits}."
        )
    if task == "regression" and _WITH_COMMA.fullmatch(str(kind.label).strip()):
        return DataError(
            f"{kind.place}: the label {short(kind.label)} has a comma. Write numbers with a decimal point and without "
            "other separators, such as 1234.5."
        )
    if task == "multi-label" and kind.name == "names":
        return DataError(
            f"{kind.place}: {task} ({source}) does not fit {described}, such as {short(kind.label)}. "
            f"Use --freeze-task=multi-label if such a label has several with a separator between, else "
            f"--freeze-task={fits}."
        )
    return DataError(
        f"{kind.place}: {task} ({source}) does not fit {described}, such as {short(kind.label)}. "
        f"Use --freeze-task={fits}, or set --freeze-label-column to another column."
    )


def _kind(columns: Mapping[str, Columns]) -> _Kind:
    """Return what the labels of the data set's own splits are; rows that are not usable do not count."""
    if _are_lists(value for part in columns.values() for value in next(iter(part.texts.values()))):
        return _example("words", columns, lambda value: isinstance(value, list))
    if _are_lists(value for part in columns.values() for value in part.labels):
        return _example("lists", columns, lambda value: isinstance(value, list))
    if not _are_numbers(columns):
        return _example("names", columns, lambda value: isinstance(value, (str, bool)) and _number(value) is None)
    if any(_is_fraction(value) for part in columns.values() for value in part.labels):
        return _example("fractions", columns, _is_fraction)
    return _example("whole numbers", columns, lambda value: _number(value) is not None)


def _example(name: str, columns: Mapping[str, Columns], test: Callable[[object], bool]) -> _Kind:
    """Return a kind with the first label of a row that passes a test."""
    for part in columns.values():
        first_texts = next(iter(part.texts.values()))
        values = first_texts if name == "words" else part.labels
        row = next((row for row, value in enumerate(values) if test(value)), None)
        if row is not None:
            return _Kind(name, part.table.location(row), values[row])
    part = columns["train"]
    return _Kind(name, part.table.name, next((label for label in part.labels if not is_missing(label)), None))


def _are_lists(values: Iterable[object]) -> bool:
    """Return whether most values that are not missing are lists: a few others are bad rows."""
    num_lists = num_others = 0
    for value in values:
        if isinstance(value, list):
            num_lists += 1
        elif not is_missing(value):
            num_others += 1
    return num_lists > num_others


def _are_mostly_numbers(columns: Mapping[str, Columns]) -> bool:
    labels = [label for part in columns.values() for label in part.labels if not is_missing(label)]
    return 2 * sum(_number(label) is not None for label in labels) > len(labels)


def _are_numbers(columns: Mapping[str, Columns]) -> bool:
    """Return whether all labels are numbers; strings count only where the format has no types."""
    values = [
        value.strip() if isinstance(value, str) else value
        for part in columns.values()
        for value in part.labels
        if not is_missing(value)
        and not isinstance(value, (list, dict))
        and not (isinstance(value, str) and not part.table.is_typed and is_no_number(value))
    ]
    typed_strings = any(
        isinstance(value, str) for part in columns.values() if part.table.is_typed for value in part.labels
    )
    return bool(values) and not typed_strings and all(_number(value) is not None for value in values)


def _number(value: object) -> float | None:
    """Return a label as a number; ``None`` if it is none."""
    if isinstance(value, str):
        return float(value) if NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not is_missing(value):
        return math.inf if abs(value) > _MOST else float(value)
    return None


def _is_fraction(value: object) -> bool:
    number = _number(value)
    return number is not None and math.isfinite(number) and not number.is_integer()
