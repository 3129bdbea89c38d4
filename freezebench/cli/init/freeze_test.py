"""The freeze test that is written: model, data and columns in its marker, and the keys of pytest's configuration."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.report.data_text import dropped_text
from freezebench.scoring.metrics import DEFAULT_METRICS, metric_of
from freezebench.specs.limits import DEFAULT_MARGIN_PP
from freezebench.units import distinct_text
from freezebench.verdicts.power import resolvable_margin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.data.load import TextData
    from freezebench.models.source import ModelSource
    from freezebench.specs.data import DataSpec

NUM_SEEDS = 5
# The preset that fits the machine would be another one with a GPU: then a hosted runner would train otherwise.
KEYS = {"freeze_preset": "embedded", "freeze_num_seeds": str(NUM_SEEDS)}
KEYS_COMMENT = (
    "How freeze tests train, on every machine alike. With a model of your own, the preset sets only engine, epochs and "
    "batch size (python -m freezebench init)."
)
# Enough to learn the task, and few enough for a hosted runner.
_MAX_TRAIN = 2_000
_EPOCHS = 3
_LARGEST_MARGIN = 20  # a test set that resolves less decides nothing of use
_TEXT, _LABEL = ("text",), "label"
_ORDER = (
    *("model", "data", "text_column", "label_column", "task", "group_column", "bad_rows"),
    *("grid", "epochs", "max_train", "margin", "max_drop"),
)
_HEAD = '''\
"""Which part of the model can be frozen, and what that costs: one test per configuration."""

import pytest


@pytest.mark.freeze(
'''
_END = """\
)
def {name}(freeze_run):
    freeze_run()
"""


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument of the freeze marker.

    Attributes:
        name: Its name.
        value: Its value.
        comment: What the lines above it say; empty: there are none.
    """

    name: str
    value: str | int | float
    comment: str = ""

    @property
    def lines(self) -> list[str]:
        """Its lines in the marker."""
        # JSON's strings are strings of Python, too.
        value = json.dumps(self.value, ensure_ascii=False)
        above = [f"    # {line}" for line in self.comment.splitlines()]
        return [*above, f"    {self.name}={value},"]


def source_of_test(name: str, arguments: Iterable[Argument]) -> str:
    """Return the module of a test of some name, with the arguments in their usual order."""
    ordered = sorted(arguments, key=lambda argument: _ORDER.index(argument.name))
    return _HEAD + "".join(f"{line}\n" for argument in ordered for line in argument.lines) + _END.format(name=name)


def model_arguments(name: str, num_layers: int) -> list[Argument]:
    """Return the arguments of a model: itself, and three configurations of the ladder.

    Args:
        name: ``embedded``, or the path of a checkpoint.
        num_layers: How many layers it has.
    """
    own = 'Your own: a checkpoint folder, or a name on the Hugging Face Hub, such as "distilbert-base-uncased".'
    half = num_layers // 2
    prefixes = [] if half == 0 else ["emb+L0" if half == 1 else f"emb+L0-{half - 1}"]
    return [
        Argument(name="model", value=name, comment=own if name == "embedded" else ""),
        Argument(name="grid", value=",".join(["none", "emb", *prefixes]), comment='"all" is every frozen prefix.'),
    ]


def fallback_data_arguments() -> list[Argument]:
    """Return the argument of the data set that freezebench has itself."""
    own = "Your own: a folder with train, validation and test files, or one file; text_column and label_column."
    return [Argument(name="data", value="reviews", comment=own)]


def read_data(spec: DataSpec, model: ModelSource) -> TextData:
    """Return a data set as a session with this model reads it; its bad rows are left out if it has some.

    Raises:
        DataError: If it is not fit for training.
    """
    names, task = model.label_names, model.task
    try:
        return load_data(spec, label_names=names, model_task=task)
    except DataError:
        if spec.bad_rows != "drop":
            with contextlib.suppress(DataError):
                return load_data(replace(spec, bad_rows="drop"), label_names=names, model_task=task)
        # Without bad rows, the first message is the one that counts.
        raise


def data_arguments(name: str, spec: DataSpec, data: TextData) -> list[Argument]:
    """Return the arguments of a data set, its columns, and what its size asks for.

    Args:
        name: Its path, as the test is to name it.
        spec: Its columns.
        data: What it holds.
    """
    arguments = [Argument(name="data", value=name)]
    if spec.text_columns != _TEXT:
        arguments.append(Argument(name="text_column", value=",".join(spec.text_columns)))
    if spec.label_column != _LABEL:
        arguments.append(Argument(name="label_column", value=spec.label_column))
    arguments.append(Argument(name="task", value=data.task))
    if spec.group_column is not None:
        comment = "Examples of one group are one unit of the intervals."
        arguments.append(Argument(name="group_column", value=spec.group_column, comment=comment))
    if data.facts.dropped_rows:
        comment = f"Rows that cannot be used: {dropped_rows(data)}.\nWithout this, the session lists them and ends."
        arguments.append(Argument(name="bad_rows", value="drop", comment=comment))
    arguments.append(Argument(name="epochs", value=_EPOCHS))
    if len(data.train) > _MAX_TRAIN:
        comment = f"A sample of the {len(data.train):,} training sentences; leave it out to train on all."
        arguments.append(Argument(name="max_train", value=_MAX_TRAIN, comment=comment))
    resolved = _resolved(data)
    if resolved is not None and DEFAULT_MARGIN_PP < resolved <= _LARGEST_MARGIN:
        sentences = _sentences_text(data, spec.group_column)
        comment = f"Points of accuracy that {NUM_SEEDS} seeds and {sentences} can resolve; the usual margin is 2."
        arguments.append(Argument(name="margin", value=math.ceil(resolved), comment=comment))
    return arguments


def limit_argument(arguments: Iterable[Argument], data: TextData | None = None) -> list[Argument]:
    """Return the limit of every configuration: the margin, without which a test of own model or data fails for no drop.

    Args:
        arguments: The other arguments. Of the embedded model on its own data set, the preset has the limits.
        data: The data set, if it was read.
    """
    values = {argument.name: argument.value for argument in arguments}
    if (values["model"], values["data"]) == ("embedded", "reviews"):
        return []
    comment = 'A test fails if the drop is shown to be larger. Per configuration: {"emb": 1, "emb+L0": 3}.'
    if data is not None and "margin" not in values:
        group_column = values.get("group_column")
        comment += _unresolved_comment(data, None if group_column is None else str(group_column))
    return [Argument(name="max_drop", value=values.get("margin", int(DEFAULT_MARGIN_PP)), comment=comment)]


def dropped_rows(data: TextData) -> str:
    """Return the number of rows that cannot be used, with their kinds by split."""
    num = sum(sum(counts.values()) for counts in (data.facts.dropped_rows or {}).values())
    return f"{num} ({dropped_text(data.facts)})"


def _resolved(data: TextData) -> float | None:
    """Return the smallest margin that the test set resolves; ``None`` if it is known only after the first runs.

    It is known in advance for accuracy alone.
    """
    if DEFAULT_METRICS[data.task] != "accuracy":
        return None
    return resolvable_margin(NUM_SEEDS, data.facts.num_distinct_test)


def _unresolved_comment(data: TextData, group_column: str | None) -> str:
    """Return a further line on what the test set can show of the usual limit; empty if it resolves it."""
    resolved, sentences = _resolved(data), _sentences_text(data, group_column)
    if resolved is None:
        label = metric_of(None, data.task, data.label_names).label
        return f"\nHow small a drop of {label} {sentences} can show is known after the first runs."
    if resolved <= DEFAULT_MARGIN_PP:
        return ""
    return f"\n{NUM_SEEDS} seeds and {sentences} can show no drop below {resolved:.0f} points: use more of them."


def _sentences_text(data: TextData, group_column: str | None) -> str:
    return distinct_text(data.facts.num_test, data.facts.num_distinct_test, "test sentences", group_column)
