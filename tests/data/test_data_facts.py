"""The facts of a data set that records keep."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from experiments import experiment
from freezebench.data.load import load_data
from freezebench.errors import DataError, RecordError
from freezebench.records.run_record import RunRecord
from freezebench.specs.data import DataSpec
from freezebench.units import counted


def _write(folder: Path, **splits: list[tuple[str, int]]) -> None:
    for split, examples in splits.items():
        lines = [json.dumps({"text": text, "label": label}) for text, label in examples]
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def test_balance_length_and_overlap_are_counted(tmp_path: Path) -> None:
    """White space and case do not matter; texts beyond the histogram's last bin count there."""
    _write(
        tmp_path,
        train=[("a good film", 1), ("bad", 0), ("bad", 0), ("word " * 500, 1)],
        validation=[("fine", 1), ("poor film", 0)],
        test=[("A  GOOD film", 1), ("dull", 0), ("grand", 1)],
    )
    facts = load_data(DataSpec(source=str(tmp_path))).facts
    assert facts.splits is not None
    train, test = facts.splits["train"], facts.splits["test"]
    assert train.class_counts == (2, 2)
    assert train.word_counts[:4] == (0, 2, 0, 1)
    assert train.word_counts[-1] == 1
    assert len(train.word_counts) == 201
    assert sum(train.word_counts) == facts.num_train == 4
    assert (train.num_in_train, train.num_repeated) == (0, 1)
    assert (test.num_in_train, test.num_repeated) == (1, 0)
    assert facts.splits["validation"].num_in_train == 0


def test_facts_of_records_are_read() -> None:
    """A record of an earlier version without them is read, and a damaged one is refused."""
    record = experiment().records[0]
    saved = json.loads(json.dumps(record.to_json()))
    assert RunRecord.from_json(saved) == record
    saved["data"]["splits"]["train"]["surprise"] = 1
    with pytest.raises(RecordError, match="no run record"):
        RunRecord.from_json(saved)
    del saved["data"]["splits"]
    old = RunRecord.from_json(saved)
    assert old.data is not None
    assert old.data.splits is None


def test_repeats_within_test_are_numbered_and_announced(tmp_path: Path) -> None:
    """White space and case do not matter; a note names the number of texts, another one labels that contradict."""
    test = [("Good  film", 1), ("bad", 0), ("good film", 1), ("dull", 0), (" BAD ", 1)]
    _write(tmp_path, train=[("so so", 1), ("poor", 0)], validation=[("fine", 1), ("worse", 0)], test=test)
    facts = load_data(DataSpec(source=str(tmp_path))).facts
    assert facts.test_groups == (0, 1, 0, 2, 1)
    assert (facts.num_test, facts.num_distinct_test) == (5, 3)
    repeats, contradiction = (note for note in facts.notes if note.startswith(("Repeats", "Contradictory")))
    assert repeats.startswith("Repeats: 2 of 5 test examples repeat another one's text, white space and case aside. ")
    assert repeats.endswith(" Intervals count the 3 distinct texts.")
    assert contradiction == "Contradictory labels: 1 text has more than one label within test. Correct or remove them."


def test_pairs_repeat_only_as_pairs(tmp_path: Path) -> None:
    """An example of two texts repeats another one if both texts are the same."""
    rows = [("one", "two", 1), ("one", "three", 0), ("two", "one", 1), ("One", "TWO", 1)]
    for split in ("train", "validation", "test"):
        lines = [json.dumps({"premise": a, "hypothesis": b, "label": label}) for a, b, label in rows]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    facts = load_data(DataSpec(source=str(tmp_path), text_columns=("premise", "hypothesis"))).facts
    assert facts.test_groups == (0, 1, 2, 0)


def test_texts_that_all_differ_need_no_numbers(tmp_path: Path) -> None:
    """Without repeats the records stay as small as they were."""
    _write(tmp_path, train=[("a", 1), ("b", 0)], validation=[("c", 1), ("d", 0)], test=[("e", 1), ("f", 0)])
    facts = load_data(DataSpec(source=str(tmp_path))).facts
    assert (facts.test_groups, facts.num_distinct_test) == (None, 2)
    assert not facts.notes


def _write_grouped(path: Path, num: int = 60) -> None:
    rows = [
        {"text": f"text {number}", "label": number % 2, "doc": number // 4, "kind": ("a", "b", None)[number % 3]}
        for number in range(num)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def test_groups_are_kept_whole_and_are_units(tmp_path: Path) -> None:
    """Of splits that are drawn from train; notes say so, and count the groups."""
    _write_grouped(tmp_path / "train.jsonl")
    spec = DataSpec(source=str(tmp_path), group_column="doc", slice_column="kind")
    data = load_data(spec)
    groups = [set(split.groups or ()) for split in data.splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 15
    facts = data.facts
    assert facts.test_groups is not None
    assert facts.num_distinct_test == len(groups[2]) < facts.num_test
    (drawn,) = (note for note in facts.notes if note.startswith("There is no test"))
    assert drawn.endswith("became these (stratified, groups of column 'doc' kept whole, seed 42).")
    num_groups = counted(len(groups[2]), "group")
    number = f"{facts.num_test} test examples are of {num_groups} of column 'doc'"
    assert f"Groups: the {number}. Intervals count the {num_groups}." in facts.notes
    assert facts.slice_names == ("(none)", "a", "b")
    assert data.test.slices is not None
    assert facts.test_slices == tuple(facts.slice_names.index(name) for name in data.test.slices)


def test_half_of_validation_is_of_whole_groups_too(tmp_path: Path) -> None:
    """Where there is no test split."""
    _write_grouped(tmp_path / "train.jsonl")
    _write_grouped(tmp_path / "dev.jsonl", 40)
    data = load_data(DataSpec(source=str(tmp_path), group_column="doc"))
    assert data.num_examples == {"train": 60, "validation": 20, "test": 20}
    assert set(data.validation.groups or ()).isdisjoint(data.test.groups or ())
    # The files themselves share documents.
    assert (
        "Leakage of groups: 5 of 5 groups of the test split (column 'doc') also have examples in train." in data.notes
    )


def test_too_few_groups_are_refused(tmp_path: Path) -> None:
    """A group cannot be parted."""
    rows = [{"text": f"text {number}", "label": number % 2, "doc": 1} for number in range(40)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(DataError, match=r"has 1 groups in column 'doc', from which no validation split can be drawn"):
        load_data(DataSpec(source=str(tmp_path), group_column="doc"))


@pytest.mark.parametrize(("field", "option"), [("group_column", "group-column"), ("slice_column", "slice-column")])
def test_a_missing_column_is_named(tmp_path: Path, field: str, option: str) -> None:
    """With those that there are."""
    _write_grouped(tmp_path / "train.jsonl")
    message = rf"has no column 'domain': it has 'text', 'label', 'doc', 'kind'\. Set --freeze-{option}"
    options: dict[str, Any] = {"source": str(tmp_path), field: "domain"}
    with pytest.raises(DataError, match=message):
        load_data(DataSpec(**options))


def test_the_split_that_is_tested_has_to_have_the_column(tmp_path: Path) -> None:
    """Train may lack a column of slices, and then leakage of groups is not known."""
    _write(tmp_path, train=[("a", 1), ("b", 0)], validation=[("c", 1)])
    _write_grouped(tmp_path / "test.jsonl", 8)
    data = load_data(DataSpec(source=str(tmp_path), group_column="doc", slice_column="kind"))
    assert data.facts.test_groups == (0, 0, 0, 0, 1, 1, 1, 1)
    assert data.train.groups is None
    _write_grouped(tmp_path / "train.jsonl")
    _write(tmp_path, test=[("e", 1), ("f", 0)])
    with pytest.raises(DataError, match=r"test.jsonl has no column 'doc': it has 'text', 'label'"):
        load_data(DataSpec(source=str(tmp_path), group_column="doc"))


def test_a_repeated_text_joins_two_groups(tmp_path: Path) -> None:
    """The note counts them; an example without a group is one by itself."""
    for split in ("train", "validation", "test"):
        docs = [("a", 1), ("b", 1), ("B ", 2), ("c", 3), ("d", None)]
        rows = [{"text": f"{text}", "label": number % 2, "doc": doc} for number, (text, doc) in enumerate(docs)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    facts = load_data(DataSpec(source=str(tmp_path), group_column="doc")).facts
    assert facts.test_groups == (0, 0, 0, 1, 2)
    assert (
        "Leakage of groups: 3 of 3 groups of the test split (column 'doc') also have examples in train." in facts.notes
    )
    assert (
        "Groups: the 5 test examples are of 4 groups of column 'doc', 1 of them joined to others by a repeated text. "
        "1 example without a group is a group. Intervals count the 3 groups."
    ) in facts.notes


def test_every_split_has_the_loss_of_the_best_constant(tmp_path: Path) -> None:
    """That of the shares of the training classes."""
    _write(tmp_path, train=[("a", 1), ("b", 0), ("c", 0), ("d", 0)], validation=[("e", 1)], test=[("f", 0), ("g", 1)])
    splits = load_data(DataSpec(source=str(tmp_path))).facts.splits
    assert splits is not None
    assert splits["validation"].constant_loss == pytest.approx(math.log(4))
    assert splits["test"].constant_loss == pytest.approx((math.log(4) + math.log(4 / 3)) / 2)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("N/A", "N/A (4 of 404 examples) became a class, and mostly such a name stands for a missing label. Remove"),
        ("godo", "godo (4 of 404 examples): below 2 %. Correct the labels if they are misspelt; a class this rare can"),
    ],
)
def test_a_class_that_may_be_none_is_to_be_checked(tmp_path: Path, name: str, note: str) -> None:
    """By its name or since it is rare; of many classes, none is rare that has about an equal share."""
    path = tmp_path / "reviews.csv"
    lines = [f"text {number},{('good', 'bad')[number % 2]}" for number in range(400)]
    lines += [f"new {number},{name}" for number in range(4)]
    path.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    notes = [text for text in load_data(DataSpec(source=str(path))).notes if text.startswith("Classes")]
    assert len(notes) == 1
    assert notes[0].startswith(f"Classes to check: {note}")
    lines = [f"text {number},class {number % 80}" for number in range(800)]
    path.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    assert not any(text.startswith("Classes") for text in load_data(DataSpec(source=str(path))).notes)
