"""The facts of a data set that records keep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments import experiment
from freezebench.data.load import load_data
from freezebench.errors import RecordError
from freezebench.records.run_record import RunRecord
from freezebench.specs.run import DataSpec


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
    with pytest.raises(RecordError, match="not a run record"):
        RunRecord.from_json(saved)
    del saved["data"]["splits"]
    old = RunRecord.from_json(saved)
    assert old.data is not None
    assert old.data.splits is None
