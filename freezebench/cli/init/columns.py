"""Which columns of a data set have the texts, the labels and the groups: by their names, else by their values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.data.columns import TAGS, WORDS, label_columns
from freezebench.data.files import read_local
from freezebench.data.values import is_missing, short
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from freezebench.data.table import Table

# Usual names of columns, in small letters. The first ones are freezebench's own.
_TEXT, _LABEL = "text", "label"
_PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("text1", "text2"),
    ("text_a", "text_b"),
    ("question", "passage"),
    ("question", "sentence"),
)
_TEXTS = ("sentence", "review", "content", "comment", "tweet", "message", "body", "utterance")
_LABELS = ("labels", "class", "category", "target", "sentiment", "stars", "rating", "score", "gold_label", "intent")
_GROUPS = ("group", "group_id", "document", "document_id", "doc_id", "author", "author_id", "user_id", "patient_id")
# Without a known name: a text has some words and is hardly ever repeated, and a label is one of few values.
_WORDS_OF_TEXT = 3.0
_DISTINCT_TEXTS = 0.5
_MAX_CLASSES = 50
_ROWS_PER_CLASS = 3
_MAX_COLUMNS = 20


class UnclearColumnsError(DataError):
    """Data of which several columns, or none, may have the texts or the labels.

    Attributes:
        is_choice: Whether there are several, so that a person has to choose; else they are no data for training.
    """

    def __init__(self, message: str, *, is_choice: bool) -> None:
        """Set message and attribute."""
        super().__init__(message)
        self.is_choice = is_choice


def spec_of_data(path: Path, text_columns: tuple[str, ...] | None, label_column: str | None) -> DataSpec:
    """Return which columns of a file, or of a folder with splits, have the texts, labels and groups.

    Args:
        path: The file or folder.
        text_columns: Names of the text columns, if they are known.
        label_column: Name of the label column, or of several with commas between, if it is known.

    Raises:
        UnclearColumnsError: If several columns, or none, may have the texts or the labels.
        DataError: If the data cannot be read, or have no column of a name that was given.
    """
    tables, _ = read_local(path, ())
    available = tables["train"].available
    tables, _ = read_local(path, available)
    train = tables["train"]
    for name in text_columns or ():
        train.column(name, "--text-column")
    if label_column is not None:
        for name in label_columns(DataSpec(source=str(path), label_column=label_column), train):
            train.column(name, "--label-column")
    texts = text_columns or _text_columns(train, label_column)
    label = label_column or _label_column(train, texts)
    if label_column is None:
        _check_header(train, label)
    spec = DataSpec(source=str(path), text_columns=texts, label_column=label)
    others = (*texts, *label_columns(spec, train))
    group = next((name for name in _named(available, _GROUPS) if name not in others), None)
    if group is not None and all(_is_grouping(table, group) for table in tables.values()):
        return replace(spec, group_column=group)
    return spec


def _check_header(table: Table, label: str) -> None:
    """Refuse data whose first row is an example: the name of its label column is a label then.

    Raises:
        UnclearColumnsError: If that is so.
    """
    if label in table.columns[label]:
        raise UnclearColumnsError(
            f"{table.name}: its first row seems to be an example and not the names of columns, since {short(label)} is "
            "a label of other rows, too. Write the names of the columns above it.",
            is_choice=True,
        )


def _text_columns(table: Table, label_column: str | None) -> tuple[str, ...]:
    """Return the column of texts or words, or the two of pairs.

    Raises:
        UnclearColumnsError: If there are several, or none.
    """
    for name in (_TEXT, WORDS):
        if name in table.available:
            return (name,)
    pair = next((both for names in _PAIRS if len(both := _named(table.available, names)) > 1), None)
    if pair is not None:
        return tuple(pair)
    names = _named(table.available, _TEXTS) or [name for name in table.columns if _has_texts(table.columns[name])]
    if len(names) == 1:
        return (names[0],)
    # A file of texts alone, such as a list of translations, is no data set for training.
    is_choice = bool(names) and (label_column is not None or bool(_label_columns(table, names)))
    raise UnclearColumnsError(
        f"{table.name}: it is not clear which column has the texts: it has {_listed(names or table.available)}. "
        "Name it with --text-column.",
        is_choice=is_choice,
    )


def _label_column(table: Table, texts: Sequence[str]) -> str:
    """Return the column of labels, or of tags.

    Raises:
        UnclearColumnsError: If there are several, or none.
    """
    names = _label_columns(table, texts)
    if len(names) == 1:
        return names[0]
    others = names or [name for name in table.available if name not in texts]
    raise UnclearColumnsError(
        f"{table.name}: it is not clear which column has the labels: it has {_listed(others)} beside the texts. "
        "Name it with --label-column.",
        is_choice=bool(names),
    )


def _label_columns(table: Table, texts: Sequence[str]) -> list[str]:
    """Return the columns that may have the labels, or the tags: those of usual names, else those with few values."""
    usual = (_LABEL, *TAGS) if tuple(texts) == (WORDS,) else (_LABEL,)
    first = next((name for name in usual if name in table.available), None)
    if first is not None:
        return [first]
    names = [name for name in _named(table.available, _LABELS) if name not in texts]
    return names or [name for name in table.columns if name not in texts and _has_classes(table.columns[name])]


def _named(available: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the columns that have one of some names, whatever their letters' case, in the order of the names."""
    by_name: Mapping[str, str] = {name.lower(): name for name in reversed(available)}
    return [by_name[name] for name in names if name in by_name]


def _listed(names: Sequence[str]) -> str:
    return listed(names, _MAX_COLUMNS, short) or "no other column"


def _has_texts(values: Sequence[object]) -> bool:
    texts = [value for value in values if isinstance(value, str) and not is_missing(value)]
    num_words = sum(len(text.split()) for text in texts)
    return bool(texts) and num_words >= _WORDS_OF_TEXT * len(texts) and len(set(texts)) > _DISTINCT_TEXTS * len(texts)


def _has_classes(values: Sequence[object]) -> bool:
    labels = [value for value in values if not is_missing(value)]
    if not labels or not all(isinstance(value, (str, int)) for value in labels):
        return False
    num_classes = len(set(labels))
    return 1 < num_classes <= _MAX_CLASSES and _ROWS_PER_CLASS * num_classes <= len(labels)


def _is_grouping(table: Table, column: str) -> bool:
    """Return whether a column puts several rows into one group."""
    values = [value for value in table.columns.get(column, ()) if isinstance(value, (str, int))]
    return 1 < len(set(values)) < len(values)
