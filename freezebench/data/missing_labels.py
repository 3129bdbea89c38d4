"""Missing labels: which values of a label column are no class, and which labels are no label at all.

Data sets write a label that is withheld as -1 or as a dash. Both may be classes as well (-1 and 1, a minus and a plus),
so the other labels decide: among names, they are no label.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezebench.data.values import is_missing, kind_name, short, unfit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from freezebench.data.bad_rows import Kind
    from freezebench.data.columns import Columns

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_MINUS_ONE = ("-1", "-1.0")
# What programs write for a missing number, in lower case.
_NO_NUMBER = ("nan", "na", "n/a", "<na>", "null", "none")
_NO_NAME = ("", "-", *_MINUS_ONE, "unlabeled", "unlabelled")
# -1, 0 and 1 are a usual scale, so that -1 is a class there, whatever two names a model has.
_MIN_NAMES = 3


def label_faults(columns: Mapping[str, Columns], model_names: Sequence[str]) -> dict[str, dict[int, tuple[Kind, str]]]:
    """Return kind and fault of every row without a usable label, by split and row number.

    Args:
        columns: Columns by split.
        model_names: The model's class names.
    """
    no_labels = _no_label_texts(columns)
    minus_one = _is_minus_one_missing(columns, model_names)
    faults: dict[str, dict[int, tuple[Kind, str]]] = {}
    for split, part in columns.items():
        faults[split] = {}
        texts = no_labels[part.table.is_typed]
        # Most data sets have no fault, which few different values tell faster than many rows.
        if any(_fault(label, texts, minus_one=minus_one) for label in set(map(_hashable, part.labels))):
            for row, label in enumerate(part.labels):
                if (fault := _fault(label, texts, minus_one=minus_one)) is not None:
                    faults[split][row] = fault
    return faults


def _fault(label: object, no_labels: frozenset[str], *, minus_one: bool) -> tuple[Kind, str] | None:
    if is_missing(label):
        return "no_label", "the label is missing"
    if isinstance(label, str):
        if label.strip() in no_labels or (minus_one and label.strip() in _MINUS_ONE):
            return "no_label", f"the label is missing: {short(label.strip())} is none of the classes"
        fault = unfit(label)
        return None if fault is None else ("bad_label", f"the label {fault}")
    if not isinstance(label, (int, float)):
        return "bad_label", f"the label is {kind_name(label)}; whole numbers and strings can be labels"
    if minus_one and label == -1:
        return "no_label", "the label is missing: -1 is none of the classes"
    return None


def _no_label_texts(columns: Mapping[str, Columns]) -> dict[bool, frozenset[str]]:
    """Return the strings that stand for no label, in tables whose format has types and in others."""
    texts = {label.strip() for part in columns.values() for label in set(_strings(part)) if label.strip()}
    names = texts - {"-", *_MINUS_ONE}
    dashed = frozenset({"-"}) if _is_dash_missing(names) else frozenset()
    # -1 among numbers may be one of them.
    if names and not any(NUMBER.fullmatch(name) for name in names):
        dashed |= frozenset(_MINUS_ONE)
    # A file without types has only strings. If all others are numbers, the word is what a program wrote for none.
    words = frozenset(text for text in texts if text.lower() in _NO_NUMBER)
    others = texts - words - {"-"}
    are_numbers = bool(others) and all(NUMBER.fullmatch(text) for text in others)
    # Among names, none and na may be classes, and nan is a language; no class is spelt NaN.
    no_names = texts & {"NaN"} if others else frozenset()
    return {True: dashed, False: dashed | (words if are_numbers else no_names)}


def is_no_number(text: str) -> bool:
    """Return whether programs write a string for a missing number."""
    return text.strip().lower() in (*_NO_NUMBER, "-")


def _strings(part: Columns) -> Iterator[str]:
    return (label for label in part.labels if isinstance(label, str))


def _is_dash_missing(others: set[str]) -> bool:
    """Return whether a dash is no label: not beside another sign, such as a plus."""
    return bool(others) and all(any(character.isalnum() for character in text) for text in others)


def _is_minus_one_missing(columns: Mapping[str, Columns], model_names: Sequence[str]) -> bool:
    """Return whether the number -1 is no label, because the others are names, or are numbers that have names."""
    distinct = {_hashable(label) for part in columns.values() for label in part.labels}
    numbers = {number for label in distinct for number in _number(label)}
    others = numbers - {-1}
    if -1 not in numbers:
        return False
    if not others:
        # Where a format has types, the names are strings and -1 is a number.
        return any(isinstance(label, str) and label.strip() not in _NO_NAME for label in distinct - numbers)
    if any(part.class_names for part in columns.values()):
        return True
    names = [
        (number, text)
        for part in columns.values()
        for label, text in zip(part.labels, part.label_texts, strict=False)
        for number in _number(label)
    ]
    if names:
        unnamed = {number for number, text in names if is_missing(text) or str(text).strip().lower() in _NO_NAME}
        return unnamed == {-1}
    return len(model_names) >= _MIN_NAMES and others <= set(range(len(model_names)))


def _hashable(label: object) -> object:
    """Return the label, or nothing in place of a list and of other values that a set cannot hold."""
    try:
        hash(label)
    except TypeError:
        return None
    return label


def _number(label: object) -> tuple[float, ...]:
    """Return a label as a number, if it is one."""
    if isinstance(label, str):
        return (float(label),) if NUMBER.fullmatch(label.strip()) else ()
    return (label,) if isinstance(label, (int, float)) and not isinstance(label, bool) and not is_missing(label) else ()
