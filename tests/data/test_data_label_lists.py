"""Lists of labels in one text: as Python and JSON write them, and with a separator between."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freezebench.data.label_lists import joined_classes, joined_separator
from freezebench.data.load import TextData, load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec, NamedSource


def _written(path: Path, labels: list[str]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((f"text {number}", label) for number, label in enumerate(labels))
    return str(path)


def _load(tmp_path: Path, labels: list[str], test: list[str] | None = None, **options: Any) -> TextData:
    _written(tmp_path / "train.csv", labels)
    _written(tmp_path / "test.csv", labels if test is None else test)
    return load_data(DataSpec(source=str(tmp_path), **options))


LISTS: list[list[str]] = [["sad", "long"], [], ["women's"], ['"so"', "a\\b", "café"], ["sad"]]


@pytest.mark.parametrize("write", [str, json.dumps, lambda names: str(np.array(names)), lambda names: f" {names!r} "])
def test_lists_as_programs_write_them_are_read(tmp_path: Path, write: Any) -> None:
    """Of Python, JSON and NumPy, whatever the task; a text without a label has an empty list."""
    data = _load(tmp_path, list(map(write, LISTS)) * 4)
    assert data.task == "multi-label"
    assert set(data.label_names) == {name for names in LISTS for name in names}
    read = [{data.label_names[index] for index, is_one in enumerate(row) if is_one} for row in data.test.labels]
    assert read[: len(LISTS)] == list(map(set, LISTS))


def test_written_lists_may_have_numbers(tmp_path: Path) -> None:
    """Of labels, or 0 and 1 for each."""
    assert _load(tmp_path, ["[0, 2]", "[2]", "[10]"] * 5).label_names == ("0", "2", "10")
    assert _load(tmp_path, ["[1. 0.]", "[0. 1.]"] * 8).test.labels[:2] == ((1, 0), (0, 1))


def test_what_is_no_list_among_lists_is_a_bad_row(tmp_path: Path) -> None:
    """A string of no known language, too."""
    for bad in ("sad", "[sad]", '["\\q"]', "['sad'"):
        with pytest.raises(DataError, match=r"line 3: the labels are a string, and other rows have a list"):
            _load(tmp_path, ["['sad']", bad, "['long', 'sad']"] * 4)


@pytest.mark.parametrize("bad", ["[sad, long]", "{'sad', 'long'}", "('sad', 'long')"])
def test_other_brackets_are_refused(tmp_path: Path, bad: str) -> None:
    """They would become a part of the labels."""
    with pytest.raises(DataError, match=r"are in brackets, and cannot be read as lists\. Leave out the brackets"):
        _load(tmp_path, [bad, bad, "[]"] * 4, task="multi-label")


def test_an_empty_list_stands_beside_joined_labels(tmp_path: Path) -> None:
    """Also where most texts have no label; an empty value is still missing."""
    data = _load(tmp_path, ["sad; long", "[]", "sad", " [] ", "[]"] * 4, task="multi-label")
    assert data.label_names == ("long", "sad")
    assert data.test.labels[:5] == ((1, 1), (0, 0), (0, 1), (0, 0), (0, 0))
    with pytest.raises(DataError, match=r"line 3: the labels are missing; .* write \[\], an empty list"):
        _load(tmp_path, ["sad; long", "", "sad"] * 4, task="multi-label")


def test_bad_rows_beside_joined_labels_name_the_task_that_reads_them(tmp_path: Path) -> None:
    """Else these texts would be left out, and the others become classes."""
    labels = ["sad; long", "", "sad", "long"] * 5
    with pytest.raises(
        DataError, match=r"Use --freeze-task=multi-label if labels such as 'sad; long' are several, with"
    ):
        _load(tmp_path, labels)
    with pytest.raises(DataError, match=r"or leave them out with --freeze-bad-rows=drop\.$"):
        _load(tmp_path, labels, task="sequence-classification")


def test_a_model_of_several_labels_needs_the_task_to_read_joined_ones(tmp_path: Path) -> None:
    """A name alone may be one."""
    source = _written(tmp_path / "train.csv", ["sad; long", "sad", "long"] * 10)
    with pytest.raises(DataError, match="Use --freeze-task=multi-label if such a label has several with a separator"):
        load_data(DataSpec(source=source), model_task="multi-label")


@pytest.mark.parametrize("split", ["test", "further"])
def test_another_separator_of_the_test_set_is_named(tmp_path: Path, split: str) -> None:
    """The names are right, and no copy with other names is asked for."""
    labels, other = ["sad; long", "sad", "new"] * 5, ["sad", "new", "sad|Long"]
    own = other if split == "test" else labels
    further = () if split == "test" else (NamedSource(name="more", source=_written(tmp_path / "more.csv", other)),)
    message = (
        r"line 4: label 'sad\|Long' never occurs .* Its names are right, and it joins several of them by '\|'\. Wri"
    )
    with pytest.raises(DataError, match=message):
        _load(tmp_path, labels, own, task="multi-label", test_sets=further)


def test_joined_names_of_a_further_test_set_are_matched_without_regard_to_case(tmp_path: Path) -> None:
    """One by one, as classes are."""
    more = NamedSource(name="more", source=_written(tmp_path / "more.csv", ["Sad;NEW", "[]"]))
    data = _load(tmp_path, ["sad; long", "sad", "new"] * 5, task="multi-label", test_sets=(more,))
    assert data.further["more"].labels == ((0, 1, 1), (0, 0, 0))


def test_names_in_place_of_lists_are_refused_in_a_further_test_set(tmp_path: Path) -> None:
    """Where the task was not stated, nothing says that they are several."""
    more = NamedSource(name="more", source=_written(tmp_path / "more.csv", ["sad|long", "sad"]))
    with pytest.raises(DataError, match=r"such as 'sad\|long', and your own data have lists of them\. Write lists"):
        _load(tmp_path, ["['sad', 'long']", "['sad']"] * 5, test_sets=(more,))


@pytest.mark.parametrize(
    ("names", "separator"),
    [
        (["a", "b", "a; b"], ";"),
        (["a", "b", "c", "a|b", "a|c", "[]"], "|"),
        (["1", "2", "14", "1,2,14"], ","),
        (["arts, music", "arts, film", "sport, ball", "sport, water"], None),
        (["food, drink", "books", "music"], None),
        (["1,0", "1,5", "0,5", "0,1", "5,0", "5,1", "0,0"], None),
        (["a", "b"], None),
        (["a,", "a"], None),
    ],
)
def test_classes_that_are_lists_are_told_by_parts_that_recur(names: list[str], separator: str | None) -> None:
    """And not by a comma in a name, or a decimal comma."""
    joined = joined_classes(names)
    assert (None if joined is None else joined[0]) == separator


def test_a_name_joins_others_only_if_all_are_known() -> None:
    """Else it is a name of its own."""
    assert joined_separator("a, B", ["a", "b"]) == ","
    assert joined_separator("a, c", ["a", "b"]) is None
    assert joined_separator("a", ["a"]) is None
