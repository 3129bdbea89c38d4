"""The task of a data set."""

from __future__ import annotations

from typing import Any

import pytest

from freezebench.data.columns import Columns
from freezebench.data.table import Table
from freezebench.data.task import resolve_task
from freezebench.errors import DataError

WORDS = [["Ada", "sings"], ["No"]]


def columns(labels: list[Any], texts: list[Any] | None = None, *, is_typed: bool = True) -> dict[str, Columns]:
    """Return a train split with these labels."""
    values: list[Any] = texts or ["a text"] * len(labels)
    table = Table(
        name="train.jsonl",
        columns={"text": values, "label": labels},
        available=("text", "label"),
        num_rows=len(labels),
        unit="line",
        is_typed=is_typed,
    )
    return {"train": Columns(table=table, texts={"text": values}, label_column="label", labels=labels)}


@pytest.mark.parametrize(
    ("labels", "task", "reason"),
    [
        ([0.5, 1, 2], "regression", "the data have numbers with fractions as labels, such as 0.5"),
        ([None, 1, 2.5, float("nan")], "regression", "numbers with fractions as labels, such as 2.5"),
        ([["a"], [], ["b", "a"]], "multi-label", "several labels per text, such as ['a']"),
        ([["a"], "b", ["b", "a"]], "multi-label", "several labels per text"),
    ],
)
def test_labels_tell_the_task(labels: list[Any], task: str, reason: str) -> None:
    """A row that is missing or of another kind than most does not matter, and a note says why."""
    resolved, note = resolve_task(None, None, columns(labels))
    assert resolved == task
    assert note is not None
    assert note.startswith(f"The task is {task}: ")
    assert reason in note


@pytest.mark.parametrize(
    "labels",
    [[0, 1, 2], [0.0, 1.0], ["a", "b"], ["0.5", "1.5"], [True, False], ["a", 0.5], [None, None], [], [["a"], "b", "c"]],
)
def test_other_labels_are_classes(labels: list[Any]) -> None:
    """Whole numbers, names, and strings of a format with types; nothing is announced."""
    assert resolve_task(None, None, columns(labels)) == ("sequence-classification", None)


def test_numbers_of_a_csv_file_are_told_by_all_of_them() -> None:
    """Strings are numbers where the format has no types, the words for a missing number aside."""
    task, _ = resolve_task(None, None, columns(["1", "0.5", "nan", "-", ""], is_typed=False))
    assert task == "regression"
    task, _ = resolve_task(None, None, columns(["1", "0.5", "good"], is_typed=False))
    assert task == "sequence-classification"


def test_lists_of_words_tell_token_classification() -> None:
    """Whatever the tags are; the note, which the report has, holds no word of the data."""
    told = resolve_task(None, None, columns([["O", "O"], ["O"]], WORDS))
    assert told == (
        "token-classification",
        "The task is token-classification: the data have texts that are lists of words.",
    )


def test_the_option_comes_before_the_model_and_the_model_before_the_data() -> None:
    """A note names what decided."""
    whole = columns([1, 2, 3])
    assert resolve_task("regression", "sequence-classification", whole) == (
        "regression",
        "The task is regression: --freeze-task or a marker says so.",
    )
    assert resolve_task(None, "regression", whole) == (
        "regression",
        "The task is regression: the model's head was fine-tuned for it.",
    )
    assert resolve_task("sequence-classification", "regression", whole) == ("sequence-classification", None)
    assert resolve_task("multi-label", None, columns(["a|b", "b"]))[0] == "multi-label"


@pytest.mark.parametrize(
    ("stated", "model", "labels", "message"),
    [
        (
            None,
            "sequence-classification",
            [1, 0.5],
            r"line 2: sequence-classification \(the task that the model's head .*\) does not fit .*=regression",
        ),
        ("sequence-classification", None, [1, 0.5], r"line 2: sequence-classification \(--freeze-task\) does not fit"),
        (
            None,
            "regression",
            ["good", "bad"],
            r"line 1: regression .* does not fit names as labels, such as 'good'\. Use --freeze-task=sequence-class",
        ),
        (
            "regression",
            None,
            [["a"], ["b"]],
            r"does not fit several labels per text, such as \['a'\]\. Use --freeze-task=multi-label",
        ),
        (
            "regression",
            None,
            ["2,5", "3,0"],
            r"line 1: the label '2,5' has a comma\. Write numbers with a decimal point",
        ),
        ("regression", None, ["1,234.50", "2"], r"line 1: the label '1,234.50' has a comma\. Write numbers with a"),
        (None, "multi-label", ["a|b", "b"], "multi-label .* does not fit names as labels"),
        ("multi-label", None, [1, 0], "does not fit whole numbers as labels"),
        (
            None,
            "token-classification",
            ["a", "b"],
            "line 1: token-classification .* needs lists of words and of tags, and the data have names",
        ),
    ],
)
def test_a_task_that_does_not_fit_is_refused(stated: Any, model: Any, labels: list[Any], message: str) -> None:
    """In one sentence with the place of an example, and with what to do."""
    with pytest.raises(DataError, match=message):
        resolve_task(stated, model, columns(labels))


def test_a_few_names_among_numbers_are_bad_rows_of_regression() -> None:
    """Only where numbers are expected: strings that are all numbers are classes otherwise."""
    for labels in (["1", "2.5", "inf"], [1, 2, "none"]):
        assert resolve_task("regression", None, columns(labels))[0] == "regression"
        assert resolve_task(None, None, columns(labels))[0] == "sequence-classification"
    with pytest.raises(DataError, match=r"line 2: regression .* does not fit names as labels, such as 'good'"):
        resolve_task("regression", None, columns(["1", "good", "bad"], is_typed=False))


def test_words_fit_no_other_task() -> None:
    """The message names the column."""
    message = (
        r"train.jsonl, line 1: regression \(--freeze-task\) is about whole texts, and the column 'text' holds lists"
    )
    with pytest.raises(DataError, match=message):
        resolve_task("regression", None, columns([["O", "O"], ["O"]], WORDS))


def test_further_test_sets_do_not_tell_the_task() -> None:
    """Fractions in them are faults of theirs."""
    further = {"test:tweets": columns([0.5, 1.5])["train"]}
    assert resolve_task(None, None, columns([0, 1]) | further) == ("sequence-classification", None)
