"""Labels of regression."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.specs.data import BadRowPolicy, DataSpec


def _load(folder: Path, labels: list[Any], *, bad_rows: BadRowPolicy = "error") -> tuple[float, ...]:
    lines = [json.dumps({"text": f"text {number}", "label": label}) for number, label in enumerate(labels)]
    for split in ("train", "validation", "test"):
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return load_data(DataSpec(source=str(folder), task="regression", bad_rows=bad_rows)).train.labels


def test_numbers_are_read_in_float64(tmp_path: Path) -> None:
    """Whole numbers, negative and small ones; a note has mean and spread of those of train."""
    labels = [0.1, -3, 2, 1e-300, 1 / 3]
    assert _load(tmp_path, labels) == tuple(labels)
    data = load_data(DataSpec(source=str(tmp_path)))
    assert data.task == "regression"
    assert (data.label_names, data.num_labels) == (("label",), 1)
    assert data.facts.test_values == tuple(labels)
    assert (data.facts.test_labels, data.facts.splits and data.facts.splits["test"].class_counts) == ((), ())
    (note,) = (note for note in data.notes if note.startswith("The labels"))
    assert note == (
        "The labels of column 'label' in train are numbers from -3 to 2, with mean -0.1133 and standard "
        "deviation 1.616."
    )


def test_strings_are_numbers_in_delimited_text(tmp_path: Path) -> None:
    """In any spelling of a number; the others are named with their lines."""
    path = tmp_path / "train.csv"
    lines = ["a,0.5", "b,+1", "c,1e1", "d,.25", "e,nan", "f,1_0", "g,inf", "h,7 "]
    path.write_text("text,label\n" + "\n".join(lines), encoding="utf-8")
    message = (
        "line 6: the label is missing: 'nan' is no number; line 7: the label '1_0' is no number; "
        r"line 8: the label 'inf' is no number\. 3 of 8 rows"
    )
    with pytest.raises(DataError, match=message):
        load_data(DataSpec(source=str(path), task="regression"))


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        (None, "the label is missing"),
        (float("nan"), "the label is missing"),
        (float("inf"), "the label inf is not finite or too large"),
        (10**400, "the label 10+… is not finite or too large"),
        (-1e19, r"the label -1e\+19 is not finite or too large"),
        (True, "the label is true or false; numbers are labels of regression"),
        ([1.0], "the label is a list; numbers"),
    ],
)
def test_other_labels_are_bad_rows(tmp_path: Path, label: Any, fault: str) -> None:
    """They are refused with their line, or left out and counted."""
    with pytest.raises(DataError, match=f"train.jsonl, line 2: {fault}"):
        _load(tmp_path, [0.5, label, 2.0])
    assert _load(tmp_path, [0.5, label, 2.0], bad_rows="drop") == (0.5, 2.0)


def test_one_number_alone_cannot_be_learned(tmp_path: Path) -> None:
    """As one class cannot."""
    with pytest.raises(DataError, match=r"every label in column 'label' is 0\.5, so there is nothing to learn"):
        _load(tmp_path, [0.5, 0.5])
