"""The facts of a data set that records keep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments import experiment
from freezebench.data.load import load_data
from freezebench.errors import RecordError
from freezebench.records.run_record import RunRecord
from freezebench.specs.data import DataSpec


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
