"""Missing labels: what is no label depends on the other labels, and -1 and a dash may be classes."""

from __future__ import annotations

import math

import pytest

from freezebench.data.columns import Columns
from freezebench.data.missing_labels import label_faults
from freezebench.data.table import Table


def missing(
    labels: list[object],
    *,
    is_typed: bool = True,
    class_names: tuple[str, ...] | None = None,
    texts: tuple[object, ...] = (),
    model_names: tuple[str, ...] = (),
) -> list[int]:
    """Return the numbers of rows without a label."""
    table = Table(
        name="train.csv",
        columns={},
        available=(),
        num_rows=len(labels),
        class_names={"label": class_names} if class_names else {},
        is_typed=is_typed,
    )
    columns = Columns(table=table, texts={}, label_column="label", labels=labels, label_texts=texts)
    faults = label_faults({"train": columns}, model_names)["train"]
    assert {kind for kind, _ in faults.values()} <= {"no_label"}
    return list(faults)


NAMES: list[object] = ["entailment", "neutral", "contradiction"]


@pytest.mark.parametrize("is_typed", [True, False])
@pytest.mark.parametrize("withheld", ["-1", "-1.0", "-", " - ", "", " \t"])
def test_no_label_among_names(withheld: str, *, is_typed: bool) -> None:
    """Three names and three rows without one: the names stay three."""
    assert missing([*NAMES, withheld, *NAMES, withheld], is_typed=is_typed) == [3, 7]


@pytest.mark.parametrize("withheld", [-1, -1.0])
def test_the_number_minus_one_among_names(withheld: float) -> None:
    """JSON tells names from numbers: -1 among strings is no label, another number is left for the error."""
    assert missing([*NAMES, withheld, *NAMES, withheld]) == [3, 7]
    assert missing([*NAMES, 7]) == []
    assert missing(["", "-", withheld, withheld]) == [0]


@pytest.mark.parametrize("value", [None, math.nan, float("-nan"), "", " "])
@pytest.mark.parametrize("labels", [[0, 1], [0.0, 1.0], [True, False], NAMES])
def test_nothing_is_no_label(labels: list[object], value: object) -> None:
    """Null, not a number and empty strings are missing among labels of any type."""
    assert missing([*labels, value, *labels]) == [len(labels)]


@pytest.mark.parametrize(
    "labels",
    [
        [-1, 1],
        [-1, 0, 1],
        [-1.0, 1.0],
        ["-1", "1"],
        ["+", "-"],
        ["++", "+", "-", "--"],
        ["-1", "0", "many"],
        ["nan", "good"],
        ["None", "null", "NA"],
        ["none", "some"],
        [-1, 0, 1, 2],
    ],
)
@pytest.mark.parametrize("is_typed", [True, False])
def test_labels_that_stay_classes(labels: list[object], *, is_typed: bool) -> None:
    """-1 among numbers, a minus beside a plus, and words among words are classes."""
    if is_typed or all(isinstance(label, str) for label in labels):
        assert missing([*labels, *labels], is_typed=is_typed) == []


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "N/A", "<NA>", "null", "None", "-"])
def test_words_for_no_number(word: str) -> None:
    """In a format of strings, a word among numbers is what a program wrote for none; strings of JSON are strings."""
    assert missing(["0", "1", word, "0"], is_typed=False) == [2]
    assert missing(["0.0", word, "1.0"], is_typed=False) == [1]
    assert missing(["0", "1", word, "0"]) == ([2] if word == "-" else [])


@pytest.mark.parametrize("number", [-1, -1.0])
def test_a_number_without_a_name(number: float) -> None:
    """Where the format, a column or the model names the other numbers, -1 is no label."""
    labels: list[object] = [0, 1, 2, number, 0]
    assert missing(labels, class_names=("a", "b", "c")) == [3]
    for text in ("", None, "-", "-1", "unlabeled"):
        assert missing(labels, texts=("a", "b", "c", text, "a")) == [3]
    assert missing(labels, texts=("a", "b", "c", "d", "a")) == []
    assert missing(labels, texts=("a", "", "c", "", "a")) == []
    assert missing(labels, model_names=("a", "b", "c")) == [3]
    assert missing(labels, model_names=("a", "b")) == []
    assert missing([*labels, -2], model_names=("a", "b", "c")) == []


def test_nan_among_names_of_a_csv_file() -> None:
    """The spelling NaN is what programs write for none; nan may be a class, such as a language, and so may strings."""
    assert missing([*NAMES, "NaN"], is_typed=False) == [3]
    assert missing([*NAMES, "nan"], is_typed=False) == []
    assert missing([*NAMES, "NaN"]) == []


def test_a_number_of_a_csv_file_without_a_name() -> None:
    """The same holds where numbers are written as strings."""
    assert missing(["0", "1", "-1"], is_typed=False, texts=("a", "b", "")) == [2]
    assert missing(["0", "1", "2", "-1.0"], is_typed=False, model_names=("a", "b", "c")) == [3]


def test_minus_one_of_a_usual_scale_stays_beside_two_names() -> None:
    """-1, 0 and 1 are three classes, whatever checkpoint is fine-tuned on them."""
    assert missing([-1, 0, 1], model_names=("negative", "positive")) == []
