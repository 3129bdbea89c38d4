"""Further test sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec, NamedSource


def _write(path: Path, labels: list[Any], **columns: list[Any]) -> str:
    rows = [{"text": f"{path.stem} {number}", "label": label} for number, label in enumerate(labels)]
    rows = [row | {name: values[number] for name, values in columns.items()} for number, row in enumerate(rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(path)


def _own(folder: Path, labels: list[Any], **columns: list[Any]) -> str:
    for split in ("train", "validation", "test"):
        _write(folder / "own" / f"{split}.jsonl", labels, **columns)
    return str(folder / "own")


def _spec(own: str, other: str, **options: Any) -> DataSpec:
    return DataSpec(source=own, test_sets=(NamedSource(name="other", source=other),), **options)


def test_they_are_splits_of_their_own(tmp_path: Path) -> None:
    """Their facts have their labels and hash; the own test set is as it is without them."""
    own, other = _own(tmp_path, ["b", "a"]), _write(tmp_path / "other.jsonl", ["a", "a", "b"])
    data = load_data(_spec(own, other))
    assert list(data.splits) == ["train", "validation", "test", "test:other"]
    assert data.num_examples == {"train": 2, "validation": 2, "test": 2, "test:other": 3}
    (facts,) = data.facts.test_sets
    assert (facts.name, facts.source, facts.num_test) == ("other", other, 3)
    assert facts.test_labels == data.splits["test:other"].labels == (0, 0, 1)
    assert facts.test_sha256 == data.splits["test:other"].sha256
    alone = load_data(DataSpec(source=own))
    assert alone.test.sha256 == data.test.sha256
    assert data.facts.of_test_set("other") == facts


@pytest.mark.parametrize(
    ("splits", "used"),
    [
        (("train", "validation", "test"), "test"),
        (("train", "dev"), "validation"),
        (("test",), "test"),
        (("train",), "train"),
    ],
)
def test_the_test_split_is_used_or_what_is_next_to_it(tmp_path: Path, splits: tuple[str, ...], used: str) -> None:
    """A folder without a train file is one for testing, and a note says which split was used."""
    own = _own(tmp_path, [0, 1])
    for split in splits:
        _write(tmp_path / "other" / f"{split}.jsonl", [0, 1, 1])
    data = load_data(_spec(own, str(tmp_path / "other")))
    assert f"The test set other is the {used} split of {tmp_path / 'other'}." in data.notes
    expected = "dev" if used == "validation" else used
    assert data.further["other"].texts[0] == (f"{expected} 0",)


def test_a_test_split_without_labels_is_not_used(tmp_path: Path) -> None:
    """As those of benchmarks, whose validation split has labels."""
    own = _own(tmp_path, [0, 1])
    _write(tmp_path / "other" / "validation.jsonl", [0, 1])
    _write(tmp_path / "other" / "test.jsonl", [-1, -1, -1])
    assert len(load_data(_spec(own, str(tmp_path / "other"))).further["other"]) == 2


def test_names_are_matched_to_the_own_classes(tmp_path: Path) -> None:
    """Case aside, and numbers by the names that their format carries."""
    own, other = _own(tmp_path, ["Good", "bad"]), tmp_path / "other.parquet"
    assert load_data(_spec(own, _write(tmp_path / "o.jsonl", ["GOOD", " Bad "]))).further["other"].labels == (0, 1)
    feature = {"_type": "ClassLabel", "names": ["bad", "good"]}
    metadata = {"huggingface": json.dumps({"info": {"features": {"label": feature}}})}
    pq.write_table(pa.table({"text": ["x", "y"], "label": [1, 0]}).replace_schema_metadata(metadata), other)
    assert load_data(_spec(own, str(other))).further["other"].labels == (0, 1)
    # The other way round: the own data have numbers with names.
    table = pa.table({"text": [f"t {n}" for n in range(40)], "label": [n % 2 for n in range(40)]})
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "train.parquet")
    named = load_data(_spec(str(tmp_path / "train.parquet"), _write(tmp_path / "o.jsonl", ["Good", "bad"])))
    assert (named.label_names, named.further["other"].labels) == (("bad", "good"), (1, 0))


@pytest.mark.parametrize(
    ("own", "other", "message"),
    [
        (["a", "b"], ["a", "c"], r"other.jsonl, line 2: label 'c' never occurs in .*, which has a, b; 1 of 2 labels"),
        ([0, 1], [0, 2], "label 2 never occurs in .* the class names of your data, or leave it out"),
        ([0, 1], ["good", "bad"], "labels are of two kinds"),
        ([0, 1], [0, 0.5], "other.jsonl, line 2: the label 0.5 is not a whole number"),
        ([0.5, 1], ["x", 1], "other.jsonl, line 1: the label 'x' is no number"),
        ([["a"], ["b"]], [["a", "c"], []], "other.jsonl, line 1: label 'c' never occurs in"),
        ([["a"], ["b"]], ["a", []], "other.jsonl, line 1: the labels are a string, and other rows have a list"),
        ([0, 1], [0, None], "other.jsonl, line 2: the label is missing"),
        ([0, 1], [], r"--freeze-test=other=.*other.jsonl: .* has no rows"),
    ],
)
def test_other_labels_are_refused(tmp_path: Path, own: list[Any], other: list[Any], message: str) -> None:
    """With file and line; a class that the test set lacks is no fault."""
    with pytest.raises(DataError, match=message):
        load_data(_spec(_own(tmp_path, own), _write(tmp_path / "other.jsonl", other)))


@pytest.mark.parametrize(
    ("own", "other", "message"),
    [
        (
            [0.5, 1.5],
            ["good", "bad"],
            r"line 1: it has names as labels, such as 'good', which are for sequence-cl.* is regr",
        ),
        (
            ["good", "bad"],
            [1.5, 2.5],
            r"numbers with fractions as labels, such as 1.5, which are for regression, and the ta",
        ),
        (
            [["a"], ["b"]],
            [0, 1],
            r"whole numbers as labels, such as 0, which are for sequence-.* for multi-label, or leave",
        ),
        (
            [0, 1],
            [["a"], []],
            r"several labels per text, such as \['a'\], which are for multi-label, and the task of your",
        ),
    ],
)
def test_a_set_of_another_task_is_refused(tmp_path: Path, own: list[Any], other: list[Any], message: str) -> None:
    """By its task and not by all of its rows, whether bad rows are left out or not; a few bad labels are bad rows."""
    path = _write(tmp_path / "other.jsonl", other)
    for bad_rows in ("error", "drop"):
        with pytest.raises(DataError, match=rf"^--freeze-test=other={path}: .*{message}"):
            load_data(_spec(_own(tmp_path, own), path, bad_rows=bad_rows))
    numbers = _write(tmp_path / "numbers.jsonl", [1, 2.5, "none"])
    with pytest.raises(DataError, match=r"line 3: .*Correct or remove the row"):
        load_data(_spec(_own(tmp_path, [0.5, 1.5]), numbers))


def test_names_of_classes_are_those_of_the_own_data(tmp_path: Path) -> None:
    """Whatever a further test set calls them in its column ``label_text``."""
    own = _own(tmp_path, [0, 1], label_text=["bad", "good"])
    other = _write(tmp_path / "other.jsonl", [0, 1], label_text=["-", "+"])
    assert load_data(_spec(own, other)).label_names == ("bad", "good")


def test_what_cannot_be_read_is_named_with_its_option(tmp_path: Path) -> None:
    """A file that does not exist, or other columns."""
    own = _own(tmp_path, [0, 1])
    message = r"--freeze-test=other=\./missing: there is no file or folder .* Leave this test set out if"
    with pytest.raises(DataError, match=message):
        load_data(_spec(own, "./missing"))
    other = tmp_path / "other.csv"
    other.write_text("sentence,label\nx,1\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"--freeze-test=other=.*: .* has no column 'text', as .*: it has 'sentence', 'label'\. Make a"
    ):
        load_data(_spec(own, str(other)))


def test_bad_rows_are_left_out_of_them_too(tmp_path: Path) -> None:
    """And counted by the name of the split."""
    own, other = _own(tmp_path, [0, 1]), _write(tmp_path / "other.jsonl", [0, None, 1])
    data = load_data(_spec(own, other, bad_rows="drop"))
    assert data.facts.dropped_rows == {"test:other": {"no_label": 1}}
    assert len(data.further["other"]) == 2


def test_leakage_groups_and_slices_are_those_of_the_set(tmp_path: Path) -> None:
    """A column that it lacks is said."""
    own = _own(tmp_path, [0, 1], kind=["x", "y"], doc=[1, 2])
    other = _write(tmp_path / "train.jsonl", [0, 1, 1], kind=["y", None, "q"], doc=[7, 7, 2])
    data = load_data(_spec(own, other, slice_column="kind", group_column="doc"))
    facts = data.facts.of_test_set("other")
    assert (facts.test_slices, facts.slice_names) == ((2, 0, 1), ("(none)", "q", "y"))
    assert facts.test_groups == (0, 0, 1)
    advice = " Remove them from train: results on what was trained on are too good."
    assert facts.notes == (
        f"The test set other is the train split of {other}.",
        "Leakage: 2 of 3 examples of the test set other (66.7 %) also occur in train, white space and case aside."
        + advice,
        "Leakage of groups: 1 of 2 groups of the test set other (column 'doc') also have examples in train.",
        "Groups: the 3 examples of the test set other are of 2 groups of column 'doc'. Intervals count the 2 groups.",
    )
    plain = _write(tmp_path / "plain.jsonl", [0, 1])
    facts = load_data(_spec(own, plain, slice_column="kind", group_column="doc")).facts.of_test_set("other")
    assert (facts.test_slices, facts.slice_names, facts.test_groups) == (None, (), None)
    assert facts.notes[1:] == (
        "The test set other has no column 'kind', so its slices are not known.",
        "The test set other has no column 'doc', so its groups are not known.",
    )
