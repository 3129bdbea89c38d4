"""Several labels per text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

import freezebench.data.multi_label as module
from freezebench.data.load import TextData, load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec


def _write(folder: Path, labels: list[Any], test: list[Any] | None = None) -> str:
    for split, of_split in (("train", labels), ("validation", labels), ("test", test or labels)):
        lines = [json.dumps({"text": f"text {number}", "label": label}) for number, label in enumerate(of_split)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return str(folder)


def _load(folder: Path, labels: list[Any], test: list[Any] | None = None, **options: Any) -> TextData:
    names = options.pop("label_names", None)
    return load_data(DataSpec(source=_write(folder, labels, test), **options), label_names=names)


def test_names_are_in_sorted_order(tmp_path: Path) -> None:
    """A text may have no label, and one label twice counts once."""
    data = _load(tmp_path, [["b", "a"], [], ["c", " c "], ["a"]])
    assert (data.task, data.label_names) == ("multi-label", ("a", "b", "c"))
    assert data.test.labels == ((1, 1, 0), (0, 0, 0), (0, 0, 1), (1, 0, 0))
    assert data.facts.test_labels == (1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0)
    assert data.facts.splits is not None
    assert data.facts.splits["test"].class_counts == (2, 1, 1)
    assert any(note == "There are 3 labels, in sorted order: a, b, c." for note in data.notes)


def test_names_of_the_model_give_the_order(tmp_path: Path) -> None:
    """If it names every label, also ones that do not occur."""
    data = _load(tmp_path, [["b"], ["a", "b"]], label_names=["b", "a", "x"])
    assert data.label_names == ("b", "a", "x")
    assert data.test.labels == ((1, 0, 0), (1, 1, 0))
    assert _load(tmp_path, [["b"], ["a", "q"]], label_names=["b", "a"]).label_names == ("a", "b", "q")
    data = _load(tmp_path, [["B"], ["a", " b"]], label_names=["b", "A"])
    assert (data.label_names, data.test.labels) == (("b", "A"), ((1, 0), (1, 1)))
    assert _load(tmp_path, [["B"], ["b"]], label_names=["b", "B"]).label_names == ("B", "b")


def test_numbers_are_classes(tmp_path: Path) -> None:
    """Those that occur in train, with the names of the model if these reach as far."""
    data = _load(tmp_path, [[10, 2], [2], [0]])
    assert data.label_names == ("0", "2", "10")
    assert data.test.labels == ((0, 1, 1), (0, 1, 0), (1, 0, 0))
    assert _load(tmp_path, [[0, 2], [2]], label_names=["x", "y", "z"]).label_names == ("x", "z")


def test_equally_long_lists_of_0_and_1_are_one_number_per_label(tmp_path: Path) -> None:
    """Truth values too; names are those of the model if there are as many."""
    data = _load(tmp_path, [[1, 0, 1], [0, 0, 0], [0.0, 1.0, 1.0]], label_names=["x", "y", "z"])
    assert data.label_names == ("x", "y", "z")
    assert data.test.labels == ((1, 0, 1), (0, 0, 0), (0, 1, 1))
    assert _load(tmp_path, [[True, False], [False, False]]).label_names == ("0", "1")
    with pytest.raises(DataError, match=r"line 2: it has 2 labels of 0 and 1, and other rows have 3"):
        _load(tmp_path, [[1, 0, 1], [0, 0, 0]], [[1, 0, 1], [0, 1]])


def test_a_parquet_file_may_name_the_numbers(tmp_path: Path) -> None:
    """As `datasets` writes a list of ``ClassLabel``."""
    feature = {"_type": "List", "feature": {"_type": "ClassLabel", "names": ["sad", "long", "new"]}}
    metadata = {"huggingface": json.dumps({"info": {"features": {"label": feature}}})}
    table = pa.table({"text": [*map(str, range(30))], "label": [[2, 0], [0], []] * 10})
    table = table.replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "train.parquet")
    data = load_data(DataSpec(source=str(tmp_path)))
    assert (data.task, data.label_names) == ("multi-label", ("sad", "new"))
    assert set(data.train.labels) == {(1, 1), (1, 0), (0, 0)}


def test_columns_of_0_and_1(tmp_path: Path) -> None:
    """Named with commas between; -1 and an empty value are no label."""
    path = tmp_path / "train.csv"
    rows = [f"text {number},{number % 2},{number // 2 % 2}" for number in range(40)]
    path.write_text("text,sad,long\n" + "\n".join(rows), encoding="utf-8")
    data = load_data(DataSpec(source=str(path), label_column="sad, long"))
    assert (data.task, data.label_names) == ("multi-label", ("sad", "long"))
    rows[3], rows[7], rows[9] = "text 3,-1,-1", "text 7,1,", "text 9,2,0"
    path.write_text("text,sad,long\n" + "\n".join(rows), encoding="utf-8")
    message = (
        "line 5: the label 'sad' is missing; line 9: the label 'long' is missing; "
        "line 11: the label 'sad' is '2', not 0 or 1. 3 of 40 rows"
    )
    with pytest.raises(DataError, match=message):
        load_data(DataSpec(source=str(path), label_column="sad,long"))
    data = load_data(DataSpec(source=str(path), label_column="sad,long", bad_rows="drop"))
    assert data.facts.dropped_rows == {"train": {"bad_label": 1, "no_label": 2}}
    with pytest.raises(
        DataError, match=r"has no column 'new': it has 'text', 'sad', 'long'\. Set --freeze-label-column"
    ):
        load_data(DataSpec(source=str(path), label_column="sad,new"))


def test_a_column_whose_name_has_a_comma_is_one(tmp_path: Path) -> None:
    """As before several columns could be named."""
    path = tmp_path / "train.jsonl"
    lines = [json.dumps({"text": f"text {number}", "a,b": number % 2}) for number in range(40)]
    path.write_text("\n".join(lines), encoding="utf-8")
    for name in ("a,b", '"a,b"'):
        assert load_data(DataSpec(source=str(path), label_column=name)).task == "sequence-classification"


def test_quotes_keep_the_commas_of_one_of_several_columns(tmp_path: Path) -> None:
    """As in the names of text columns, and as the message on an unknown column says."""
    path = tmp_path / "train.csv"
    rows = "\n".join(f"text {number},{number % 2},{number // 2 % 2}" for number in range(40))
    path.write_text(f'text,sad,"long, slow"\n{rows}\n', encoding="utf-8")
    data = load_data(DataSpec(source=str(path), label_column='sad,"long, slow"'))
    assert (data.task, data.label_names) == ("multi-label", ("sad", "long, slow"))
    with pytest.raises(DataError, match=r"Put double quotes around a name with a comma: --freeze-label-column="):
        load_data(DataSpec(source=str(path), label_column="sad,long, slow"))


@pytest.mark.parametrize("separator", ["|", ";", ","])
def test_a_separator_is_found_where_the_task_is_stated(tmp_path: Path, separator: str) -> None:
    """In delimited text all labels are strings; a note names the separator."""
    path = tmp_path / "train.tsv"
    labels = [separator.join(own) for own in (["sad", "long"], ["sad"], ["new ", " sad"])] * 12
    path.write_text(
        "text\tlabel\n" + "".join(f"text {row}\t{own}\n" for row, own in enumerate(labels)), encoding="utf-8"
    )
    data = load_data(DataSpec(source=str(path), task="multi-label"))
    assert data.label_names == ("long", "new", "sad")
    assert f"Labels were separated at {separator!r}." in data.notes


def test_without_a_separator_there_is_one_label_per_text(tmp_path: Path) -> None:
    """That is another task."""
    with pytest.raises(DataError, match=r"none is a list or holds \| or ; or , between .*=sequence-classification"):
        _load(tmp_path, ["sad", "long"], task="multi-label")


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        (None, "the labels are missing"),
        ("a", "the labels are a string, and other rows have a list"),
        (["a", None], "one of the labels is empty or null"),
        (["a", ""], "one of the labels is empty or null"),
        (["x" * 201], "one of the labels has 201 characters"),
        (["a", {}], "one of the labels is an object; names and whole numbers can be labels"),
        (["a", 0.5], "one of the labels is a number; names and whole"),
        (["a", True], "one of the labels is true or false; names"),
        (["a"] * 1001, "it has 1,001 labels, more than 1,000"),
    ],
)
def test_other_values_are_bad_rows(tmp_path: Path, label: Any, fault: str) -> None:
    """They are refused with their line, or left out and counted."""
    labels = [["a"], ["b", "c"], label]
    with pytest.raises(DataError, match=f"line 3: {fault}"):
        _load(tmp_path, labels)
    assert len(_load(tmp_path, labels, bad_rows="drop").train) == 2


def test_how_to_write_that_there_is_no_label_is_said_once(tmp_path: Path) -> None:
    """And that leaving bad rows out leaves these texts out; not for labels of 0 and 1, where no list is empty."""
    with pytest.raises(DataError) as caught:
        _load(tmp_path, [["a"], ["b", "c"], None, None])
    advice = "write [], an empty list; --freeze-bad-rows=drop would remove it from training and test."
    assert str(caught.value).count("empty list") == 1
    assert str(caught.value).endswith(advice)
    with pytest.raises(DataError, match=r"line 3: the list of 0 and 1 is missing; .*--freeze-bad-rows=drop\.$"):
        _load(tmp_path, [[0, 1], [1, 1], None])


@pytest.mark.parametrize("bad", [None, 0.5, {}, -1])
def test_a_bad_row_does_not_change_how_others_are_read(tmp_path: Path, bad: Any) -> None:
    """Lists of 0 and 1 stay such, and a 2 among them is a bad row too."""
    labels, test = [[1, 0], [0, 1], [bad, 1]], [[1, 1], [0, 2]]
    with pytest.raises(DataError, match=r"test\.jsonl, line 2: the label '1' is 2, not 0 or 1"):
        _load(tmp_path, labels, test)
    data = _load(tmp_path, labels, test, bad_rows="drop")
    assert (data.train.labels, data.test.labels) == (((1, 0), (0, 1)), ((1, 1),))


def test_rows_and_labels_have_to_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file can have a million rows of few of a thousand labels."""
    monkeypatch.setattr(module, "_MAX_NUMBERS", 17)
    with pytest.raises(DataError, match="6 rows with 0 or 1 for each of 3 labels do not fit into memory"):
        _load(tmp_path, [["a"], ["b", "c"]])


@pytest.mark.parametrize(
    ("labels", "test", "message"),
    [
        ([["a"], ["a"]], None, r"has 1 different label, and multi-label takes 2 to 1,000"),
        ([["a"], [1]], None, "has names and numbers as labels. Use one kind"),
        (
            [[1, 0, 1], [0, 1]],
            None,
            r"lists in column 'label' have 2 to 3 values of 0 and 1\. Give each list one value",
        ),
        (
            [["a"], ["b"]],
            [["a"], ["b", "q"]],
            r"test.jsonl, line 2: label 'q' never occurs in .*, which has a, b; 1 of 3",
        ),
        ([[1, 3], [2]], [[3], [4]], "line 2: label 4 never occurs in .*, which has 1, 2, 3; 1 of 2 labels are unknown"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(
    tmp_path: Path, labels: list[Any], test: list[Any] | None, message: str
) -> None:
    """With the place of the first one."""
    with pytest.raises(DataError, match=message):
        _load(tmp_path, labels, test)
