"""JSON files: layouts that are read, and those of pandas and others that are named."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from freezebench.data.json_files import read_json, read_jsonl
from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

REQUESTED = ("text", "label")
ROWS = [{"text": "a", "label": 1}, {"text": "b", "label": 0}]

# What `DataFrame.to_json` writes by its argument orient, and the word that the message has.
ORIENTS: dict[str, tuple[object, str]] = {
    "columns": ({"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 0}}, "orient=columns"),
    "index": ({"0": ROWS[0], "1": ROWS[1]}, "orient=columns (the default) or index"),
    "split": ({"columns": ["text", "label"], "index": [0, 1], "data": [["a", 1], ["b", 0]]}, "orient=split"),
    "table": ({"schema": {"fields": []}, "data": ROWS}, "orient=table"),
    "values": ([["a", 1], ["b", 0]], "orient=values"),
}


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("orient", ORIENTS)
def test_layouts_of_pandas_are_named(tmp_path: Path, orient: str, suffix: str) -> None:
    """The message says which orient the file has and which one to use; pandas is not needed for that."""
    content, word = ORIENTS[orient]
    path = tmp_path / f"a{suffix}"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(source=str(path)))
    if suffix == ".json" or orient in {"columns", "values"}:
        assert word in str(caught.value)
        assert 'orient="records"' in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": ROWS}, "its rows are inside the key 'data'. Write the list of rows itself"),
        ({"version": 1, "data": ROWS}, "its rows are inside the key 'data'"),
        ({"train": ROWS, "test": ROWS[:1]}, "its rows are inside the key 'train'"),
        ([{"text": {"en": "a"}, "label": 1}], "row 1: the text in column 'text' is not a string but an object"),
        ([{"row": {"text": "a", "label": 1}}], "has no column 'text': it has 'row'"),
        ({"text": ["a"], "label": [1, 0]}, "the lists under its keys differ in length"),
        ([1], "row 1: it is not a JSON object"),
        ([], "a.json has no rows"),
        ({}, "a.json has no column 'text': it has none"),
        (3, "row 1: it is not a JSON object"),
    ],
)
def test_other_layouts_are_named(tmp_path: Path, content: object, message: str) -> None:
    """Objects around or inside the rows are not looked into."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(source=str(path)))
    assert message in str(caught.value)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("start", ["", "\n\n ", "\ufeff"])
def test_a_list_under_the_name_of_json_lines(tmp_path: Path, start: str, indent: int | None) -> None:
    """It is read as what it is."""
    path = tmp_path / "a.jsonl"
    path.write_text(start + json.dumps(ROWS, indent=indent), encoding="utf-8")
    assert read_jsonl(path, REQUESTED).columns == {"text": ["a", "b"], "label": [1, 0]}


def test_entries_of_a_list_that_are_no_objects(tmp_path: Path) -> None:
    """Each is a bad row, and the others keep their numbers."""
    path = tmp_path / "a.json"
    rows = [{"text": str(number), "label": number % 2} for number in range(20)]
    path.write_text(json.dumps([*rows[:10], 3, None, {"text": "", "label": 0}, *rows[10:]]))
    with pytest.raises(
        DataError, match=r"a.json, row 11: it is not a JSON .*; row 12: it is .*; row 13: the text in .*3 of"
    ):
        load_data(DataSpec(source=str(path)))
    assert sum(load_data(DataSpec(source=str(path), bad_rows="drop")).num_examples.values()) == 20


def test_objects_over_several_lines(tmp_path: Path) -> None:
    """Every line of JSON Lines is a bad row by itself, so that the first one is named."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROWS[0], indent=1))
    with pytest.raises(DataError, match=r"a.jsonl, line 1: it is not JSON .*; line 2: .* 4 of 4 rows cannot be used"):
        load_data(DataSpec(source=str(path)))


def test_columns_may_hold_lists_of_objects(tmp_path: Path) -> None:
    """Only the requested columns matter in an object of columns."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"text": ["a", "b"], "label": [1, 0], "spans": [{"start": 1}, {"start": 2}]}))
    assert read_json(path, REQUESTED).columns == {"text": ["a", "b"], "label": [1, 0]}


@pytest.mark.parametrize(
    "content", ["[" * 400_000, '{"a":' * 400_000, "[" + '{"text":"a","text":"b"},' * 50_000, "9" * 10**6]
)
def test_hostile_json_is_bounded(tmp_path: Path, content: str) -> None:
    """Depth, repeated keys and huge numbers end in one sentence, soon."""
    for suffix in (".json", ".jsonl"):
        path = tmp_path / f"a{suffix}"
        path.write_text(content)
        started = time.perf_counter()
        with pytest.raises(DataError, match=r"it is not (usable )?JSON"):
            load_data(DataSpec(source=str(path)))
        assert time.perf_counter() - started < 5
