"""Which data a run trains and is tested on, as plain data."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import Literal, get_args

from freezebench.errors import SettingsError
from freezebench.specs.fields import Fields, brief
from freezebench.specs.names import LARGEST_SEED, TaskName

SplitRule = Literal["own", "notebook"]
BadRowPolicy = Literal["error", "drop"]

_NUM_TEXT_COLUMNS = (1, 2)
# What a further test set may be called.
SET_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class NamedSource:
    """A further test set.

    Attributes:
        name: What tables and messages call it.
        source: Its data set, as ``DataSpec.source``. Its split ``test`` is used, else ``validation``, else its only
            one.

    Raises:
        SettingsError: If a value is of another type, or the name has other characters than letters, digits and ``_-.``.
    """

    name: str
    source: str

    def __post_init__(self) -> None:
        fields = Fields(self)
        fields.text("name", "tweets")
        fields.text("source", "reviews:tweets")
        if not SET_NAME.fullmatch(self.name):
            raise SettingsError(
                f"NamedSource(name={brief(self.name)}): a test set is named by letters, digits, '_', '-' and '.'. "
                "Choose such a name."
            )


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """Which sentences a run trains and is tested on.

    Attributes:
        source: ``reviews`` (or ``reviews:tweets`` and so on), a folder or file, or the name of a Hub data set (``name``
            or ``name:config``).
        text_columns: One column of sentences, or two for sentence pairs.
        label_column: Column of the labels, or several columns of 0 and 1, one per label, with commas between.
        split_rule: ``own`` uses the data set's validation and test splits; ``notebook`` ignores its validation split
            and halves the test split (``train_test_split(test_size=0.5, seed=42, shuffle=True)``).
        max_train: Upper limit of training sentences, a stratified sample that all seeds share; ``None``: all.
        split_seed: Seed of that sample and of splits that the data set does not define.
        bad_rows: Rows without a usable text or label: ``error`` refuses the data, ``drop`` leaves them out.
        task: What is learned; ``None``: what the model's configuration and the data say.
        slice_column: Column whose values divide the test set into slices that are judged one by one; ``None``: none.
        group_column: Column whose values say which examples belong together, such as those of one document, and are
            one unit of the interval; ``None``: each example is one.
        test_sets: Further test sets, which are evaluated and judged beside the data set's own one.

    Raises:
        SettingsError: If a value is of another type or outside its range.
    """

    source: str
    text_columns: tuple[str, ...] = ("text",)
    label_column: str = "label"
    split_rule: SplitRule = "own"
    max_train: int | None = None
    split_seed: int = 42
    bad_rows: BadRowPolicy = "error"
    task: TaskName | None = None
    slice_column: str | None = None
    group_column: str | None = None
    test_sets: tuple[NamedSource, ...] = ()

    def __post_init__(self) -> None:
        fields = Fields(self)
        fields.text("source", "./my-reviews")
        names: object = self.text_columns
        if not isinstance(names, tuple) or not all(isinstance(name, str) and name for name in names):
            raise SettingsError(
                f"DataSpec(text_columns={brief(names)}): give a tuple of one name, or of two for sentence pairs, such "
                "as text_columns=('text',)."
            )
        if len(names) not in _NUM_TEXT_COLUMNS:
            raise SettingsError(
                f"DataSpec(text_columns={brief(names)}): one or two columns of sentences can be encoded, not "
                f"{len(names)}. Give text_columns=('text',), or two names."
            )
        fields.text("label_column", "label")
        fields.choice("split_rule", get_args(SplitRule))
        fields.whole("max_train", 2, or_none=True)
        fields.whole("split_seed", 0, LARGEST_SEED)
        fields.choice("bad_rows", get_args(BadRowPolicy))
        fields.choice("task", get_args(TaskName), or_none=True)
        fields.text("slice_column", "domain", or_none=True)
        fields.text("group_column", "document", or_none=True)
        sets: object = self.test_sets
        if not isinstance(sets, tuple) or not all(isinstance(item, NamedSource) for item in sets):
            raise SettingsError(
                f"DataSpec(test_sets={brief(sets)}): give a tuple of test sets, such as "
                "test_sets=(NamedSource(name='tweets', source='reviews:tweets'),)."
            )
        set_names = [item.name for item in self.test_sets]
        if len(set(set_names)) < len(set_names):
            raise SettingsError(
                f"DataSpec(test_sets=…): two test sets have one name ({', '.join(set_names)}). Name each differently."
            )

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns of the labels: one, or one for each of several labels."""
        return columns_in(self.label_column) or (self.label_column,)


def columns_in(text: str) -> tuple[str, ...]:
    """Return the different names of columns in a text, with commas between; quotes keep the commas of a name."""
    # csv refuses line breaks outside of quotes, which are part of a name then.
    lines = [] if len(text.splitlines()) > 1 else [text]
    names = next(csv.reader(lines, skipinitialspace=True), ())
    return tuple(dict.fromkeys(filter(None, (name.strip() for name in names))))
