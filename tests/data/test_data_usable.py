"""Bad rows: all are listed with file and line, or left out and counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import made_up
from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.records.run_record import RunRecord
from freezebench.specs.data import DataSpec

GOOD: list[object] = [{"text": f"film {number}", "label": ("bad", "good")[number % 2]} for number in range(30)]


def write(path: Path, rows: list[object]) -> None:
    """Write rows as JSON Lines; a string is a line as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three splits, two of which have bad rows."""
    bad: list[object] = [
        {"text": "", "label": "good"},
        "not json",
        {"text": "film", "label": "-"},
        {"text": 3, "label": None},
        {"text": "film", "label": ["good"]},
        '"a string"',
    ]
    write(tmp_path / "train.jsonl", [*GOOD[:10], *bad, *GOOD[10:]])
    write(tmp_path / "validation.jsonl", GOOD[:10])
    write(tmp_path / "test.jsonl", [{"text": "\u200b", "label": "bad"}, {"label": "bad"}, *GOOD[:10]])
    return tmp_path


def test_all_bad_rows_are_listed(folder: Path) -> None:
    """Each has its line and fault, in the order of files and lines; a row with two faults counts once."""
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(source=str(folder)))
    assert str(caught.value) == (
        f"{folder}/train.jsonl, line 11: the text in column 'text' is empty; "
        "line 12: it is not JSON (Expecting value at character 1); "
        "line 13: the label is missing: '-' is none of the classes; "
        "line 14: the text in column 'text' is not a string but a whole number; "
        "line 15: the label is a list; whole numbers and strings can be labels; "
        'line 16: it is not a JSON object such as {"text": "…", "label": 0}; '
        f"{folder}/test.jsonl, line 1: the text in column 'text' has no visible character; "
        "line 2: the text in column 'text' is missing. "
        "8 of 58 rows cannot be used: correct or remove them, or leave them out with --freeze-bad-rows=drop."
    )


def test_bad_rows_are_left_out_and_counted(folder: Path) -> None:
    """The rest is the same data set as if they had never been there; notes and facts have the counts."""
    data = load_data(DataSpec(source=str(folder), bad_rows="drop"))
    assert data.num_examples == {"train": 30, "validation": 10, "test": 10}
    assert data.label_names == ("bad", "good")
    assert data.notes[0] == (
        f"Bad rows: 6 of 36 rows of {folder}/train.jsonl were left out (--freeze-bad-rows=drop): 1 with a label that "
        "cannot be used, 1 with a text that cannot be used, 1 without a label, 1 without a text, "
        "2 not readable as a row."
    )
    assert data.notes[1] == (
        f"Bad rows: 2 of 12 rows of {folder}/test.jsonl were left out (--freeze-bad-rows=drop): 2 without a text."
    )
    assert data.facts.dropped_rows == {
        "train": {"bad_label": 1, "bad_text": 1, "no_label": 1, "no_text": 1, "unreadable": 2},
        "test": {"no_text": 2},
    }
    assert data.train.location(10) == f"{folder}/train.jsonl, line 17"
    assert data.test.location(0) == f"{folder}/test.jsonl, line 3"
    clean = folder / "clean"
    clean.mkdir()
    for split, rows in (("train", GOOD), ("validation", GOOD[:10]), ("test", GOOD[:10])):
        write(clean / f"{split}.jsonl", rows)
    facts = load_data(DataSpec(source=str(clean))).facts
    assert replace(data.facts, dropped_rows=None, notes=data.notes[2:]) == facts


def test_counts_are_kept_in_the_record() -> None:
    """They are read back, and a record without them is read as well."""
    record = made_up.record()
    assert record.data is not None
    record = replace(record, data=replace(record.data, dropped_rows={"train": {"no_label": 3}}))
    saved = json.loads(json.dumps(record.to_json()))
    assert RunRecord.from_json(saved) == record
    del saved["data"]["dropped_rows"]
    old = RunRecord.from_json(saved).data
    assert old is not None
    assert old.dropped_rows is None


def test_good_data_have_no_counts(tmp_path: Path) -> None:
    """With nothing to leave out, both policies give the same."""
    write(tmp_path / "train.jsonl", GOOD)
    usual, drop = (load_data(DataSpec(source=str(tmp_path), bad_rows=policy)) for policy in ("error", "drop"))
    assert usual == drop
    assert usual.facts.dropped_rows is None


@pytest.mark.parametrize("num_bad", [1, 10, 11, 500])
def test_ten_rows_are_listed(tmp_path: Path, num_bad: int) -> None:
    """The others are counted."""
    write(tmp_path / "train.jsonl", [*GOOD, *[{"text": "x", "label": None}] * num_bad])
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(source=str(tmp_path)))
    message = str(caught.value)
    assert message.count("the label is missing") == min(num_bad, 10)
    assert (f"; and {num_bad - 10} more. " in message) == (num_bad > 10)
    ending = (
        f"{num_bad} of {num_bad + 30} rows cannot be used" if num_bad > 1 else "missing. Correct or remove the row,"
    )
    assert ending in message


@pytest.mark.parametrize("policy", ["error", "drop"])
def test_a_split_of_bad_rows_alone(tmp_path: Path, policy: str) -> None:
    """To leave them out leaves nothing: the rows are listed under both policies."""
    write(tmp_path / "train.jsonl", GOOD)
    write(tmp_path / "test.jsonl", ["text,label", "fine,1"])
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(source=str(tmp_path), bad_rows=policy))  # type: ignore[arg-type]
    assert "test.jsonl, line 1: it is not JSON" in str(caught.value)
    ending = "No row of this split can be used: correct them, or leave the split out." if policy == "drop" else "=drop."
    assert str(caught.value).endswith(ending)


def test_a_class_of_bad_rows_alone(tmp_path: Path) -> None:
    """What is left is checked as any data."""
    write(
        tmp_path / "train.jsonl", [{"text": "fine", "label": 1}, {"text": "", "label": 0}, {"text": "good", "label": 1}]
    )
    with pytest.raises(DataError, match=r"every label in column 'label' is 1\. Add examples of another class"):
        load_data(DataSpec(source=str(tmp_path), bad_rows="drop"))


@pytest.mark.parametrize("content", ["text\nfine\n", "index\ttext\n0\tfine\n", "text,id\nfine,3\n"])
def test_a_test_file_without_labels(tmp_path: Path, content: str) -> None:
    """It is named, with the file that has them."""
    write(tmp_path / "train.jsonl", GOOD)
    (tmp_path / "test.csv").write_text(content)
    with pytest.raises(
        DataError, match=r"test.csv has no labels: it has no column 'label', which .*train.jsonl has\. "
    ):
        load_data(DataSpec(source=str(tmp_path)))


def test_named_classes_of_a_format_with_withheld_rows(tmp_path: Path) -> None:
    """-1 beside the names of a parquet file neither makes a class nor loses the names."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    names = {"names": ["a", "b", "c"], "_type": "ClassLabel"}
    metadata = {"huggingface": json.dumps({"info": {"features": {"label": names}}})}
    labels = [-1 if row in (7, 23, 41) else row % 3 for row in range(60)]
    table = pa.table({"text": [f"t{row}" for row in range(60)], "label": labels}).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "train.parquet")
    spec = DataSpec(source=str(tmp_path))
    with pytest.raises(
        DataError, match=r"train.parquet, row 8: the label is missing: -1 is none .*; row 24: .*; row 42:"
    ):
        load_data(spec)
    data = load_data(replace(spec, bad_rows="drop"))
    assert (data.label_names, sum(data.num_examples.values())) == (("a", "b", "c"), 57)
