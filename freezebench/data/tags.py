"""Words and their tags: the texts and labels of token classification."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from freezebench.data.class_names import shared_names
from freezebench.data.classes import check_known, with_model_names
from freezebench.data.values import (
    MAX_TEXT_CHARS,
    is_invisible,
    is_missing,
    kind_name,
    label_list,
    short,
    unfit,
    unfit_name,
)
from freezebench.errors import DataError
from freezebench.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from freezebench.data.bad_rows import Kind
    from freezebench.data.columns import Columns

OUTSIDE = "O"
MAX_WORDS = 10_000
_MAX_TAGS = 1000
_MIN_TAGS = 2


def word_faults(columns: Columns) -> dict[int, tuple[Kind, str]]:
    """Return kind and fault of every row whose words or tags cannot be used, by row number."""
    num_names = len(columns.class_names)
    faults: dict[int, tuple[Kind, str]] = {}
    for row, (words, tags) in enumerate(zip(next(iter(columns.texts.values())), columns.labels, strict=True)):
        fault = next(chain(_words_faults(words), _tags_faults(words, tags, num_names)), None)
        if fault is not None:
            faults[row] = fault
    return faults


def _words_faults(words: object) -> Iterator[tuple[Kind, str]]:
    """Yield what is wrong with the words of a row, the first fault first."""
    if is_missing(words):
        yield "no_text", "the words are missing"
    elif not isinstance(words, list):
        yield "bad_text", f"the words are {kind_name(words)}, and other rows have a list"
    elif not words:
        yield "no_text", "there are no words"
    elif len(words) > MAX_WORDS:
        yield "bad_text", f"it has {len(words):,} words, more than {MAX_WORDS:,}"
    else:
        for number, word in enumerate(words, start=1):
            if (fault := _word_fault(word)) is not None:
                yield "bad_text", f"word {number} {fault}"
        num_chars = sum(map(len, words))
        if num_chars > MAX_TEXT_CHARS:
            yield "bad_text", f"its words have {num_chars:,} characters, more than {MAX_TEXT_CHARS:,}"


def _word_fault(word: object) -> str | None:
    """Return why a word cannot be used, as a clause."""
    if not isinstance(word, str):
        return f"is {kind_name(word)}, not a string"
    return "is empty or has no visible character" if is_invisible(word) else unfit(word)


def _tags_faults(words: object, tags: object, num_names: int) -> Iterator[tuple[Kind, str]]:
    """Yield what is wrong with the tags of a row, the first fault first."""
    if is_missing(tags):
        yield "no_label", "the tags are missing"
    elif not isinstance(tags, list):
        yield "bad_label", f"the tags are {kind_name(tags)}, not a list"
    elif isinstance(words, list) and len(words) != len(tags):
        yield "bad_label", f"there are {len(tags)} tags for {len(words)} words"
    else:
        for number, tag in enumerate(tags, start=1):
            if is_missing(tag):
                yield "no_label", f"tag {number} is missing"
            elif (fault := _tag_fault(tag, num_names)) is not None:
                yield "bad_label", f"tag {number} {fault}"


def _tag_fault(tag: object, num_names: int) -> str | None:
    """Return why a tag cannot be used, as a clause."""
    if isinstance(tag, str):
        return unfit_name(tag)
    if isinstance(tag, bool) or not isinstance(tag, int):
        return f"is {kind_name(tag)}; names and whole numbers can be tags"
    return f"is {short(tag)}, which has no name" if tag < 0 or (num_names and tag >= num_names) else None


def read_words(columns: Mapping[str, Columns]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return the words of every row by split; all have been checked."""
    return {
        split: tuple(tuple(map(str, words)) for words in next(iter(part.texts.values())) if isinstance(words, list))
        for split, part in columns.items()
    }


def read_tags(
    columns: Mapping[str, Columns], model_names: Sequence[str]
) -> tuple[dict[str, tuple[tuple[int, ...], ...]], tuple[str, ...], tuple[str, ...]]:
    """Return the class number of every word by split, the names of the classes, and notes; all have been checked.

    Classes are in the order of the model's names if these are all that occur, else in that of the format, else the tag
    O comes first and others are sorted. Numbers without names in the format are those of the model's names, if it has
    enough of them.

    Raises:
        DataError: If there are fewer than two tags, or too many, or another split has one that train lacks.
    """
    train = columns["train"]
    raw = {split: [list(tags) for tags in part.labels if isinstance(tags, list)] for split, part in columns.items()}
    kinds = {type(tag) for rows in raw.values() for tags in rows for tag in tags}
    if len(kinds) > 1:
        raise DataError(
            f"{train.table.name}: column {train.label_column!r} has names and numbers as tags. Use one kind throughout."
        )
    names = shared_names(columns) or ()
    numbers_used = [tag for rows in raw.values() for tags in rows for tag in tags if isinstance(tag, int)]
    is_of_model = not names and max(numbers_used, default=len(model_names)) < len(model_names)
    if is_of_model:
        names = tuple(model_names)
    tags = {split: [[_name(tag, names) for tag in row] for row in rows] for split, rows in raw.items()}
    known = {tag for row in tags["train"] for tag in row}
    if not _MIN_TAGS <= len(known) <= _MAX_TAGS:
        raise DataError(
            f"{train.table.name}: column {train.label_column!r} has {counted(len(known), 'different tag')}, and "
            f"token-classification takes {_MIN_TAGS} to {_MAX_TAGS:,}. Set --freeze-label-column to another column."
        )
    matched = with_model_names(tags, model_names)
    if matched is not None:
        tags, classes, order = matched, list(model_names), "in the order of the model's own"
        if is_of_model:
            order = "which the model's configuration numbers so"
    elif kinds == {int}:
        classes, order = [name for name in names if name in known] or sorted(known, key=int), "as they are numbered"
    else:
        classes, order = sorted(known, key=lambda tag: (tag != OUTSIDE, tag)), "in sorted order"
    check_known(columns, tags, classes)
    number_of = {tag: number for number, tag in enumerate(classes)}
    numbers = {split: tuple(tuple(number_of[tag] for tag in row) for row in rows) for split, rows in tags.items()}
    return numbers, tuple(classes), (f"There are {len(classes)} tags, {order}: {label_list(classes)}.",)


def _name(tag: object, names: Sequence[str]) -> str:
    if isinstance(tag, int):
        return names[tag] if names else str(tag)
    return str(tag).strip()
