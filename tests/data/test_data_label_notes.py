"""Notes on names of classes or labels that may be none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from freezebench.data.load import load_data
from freezebench.specs.data import DataSpec


def _checks(tmp_path: Path, labels: list[Any], **options: Any) -> list[str]:
    """Return the notes that something is to be checked."""
    lines = [json.dumps({"text": f"text {number}", "label": label}) for number, label in enumerate(labels)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    notes = load_data(DataSpec(source=str(tmp_path), **options)).notes
    return [note for note in notes if " to check: " in note]


USUAL: list[Any] = [["sad", "long"], ["sad"], ["long"], []] * 25


@pytest.mark.parametrize(
    ("more", "note"),
    [
        (["n/a", "sad"], "n/a (1 of 101 examples) became a label, and mostly such a name stands for none. Write [] in"),
        (["lnog"], "lnog (1 of 101 examples): below 2 %. Correct the labels if they are misspelt; a label this rare"),
    ],
)
def test_a_label_that_may_be_none_is_to_be_checked(tmp_path: Path, more: list[str], note: str) -> None:
    """As a class is."""
    assert _checks(tmp_path, USUAL) == []
    (check,) = _checks(tmp_path, [*USUAL, more])
    assert check.startswith(f"Labels to check: {note}")


def test_names_that_differ_only_in_case_or_space_are_to_be_checked(tmp_path: Path) -> None:
    """Of labels and of classes."""
    message = (
        "to check: 'Very  Sad' and 'very sad' differ only in case or white space. Write them alike if they are one"
    )
    lists = [["long", "Very  Sad"], ["long", "very sad"]] * 20
    assert _checks(tmp_path, lists) == [f"Labels {message} label."]
    assert _checks(tmp_path, ["Very  Sad", "very sad", "long"] * 20) == [f"Classes {message} class."]


def test_another_separator_in_a_label_is_to_be_checked(tmp_path: Path) -> None:
    """It may separate labels, too."""
    labels = ["sad|long", "sad", "long; new"] * 20
    (check,) = _checks(tmp_path, labels, task="multi-label")
    assert check.startswith("Labels to check: 'long; new': with another separator than '|'. Write one")


def test_classes_that_look_like_lists_are_to_be_checked(tmp_path: Path) -> None:
    """In one note, unless the task was stated."""
    labels = ["sad; long", "sad", "long", "new", "new; sad", "Sad"] * 20
    (check,) = _checks(tmp_path, labels)
    assert check == (
        "Classes to check: 2 of 6 look like lists of labels with ';' between, such as 'new; sad'. If a text may have "
        "several labels, use --freeze-task=multi-label."
    )
    (check,) = _checks(tmp_path, labels, task="sequence-classification")
    assert "differ only in case" in check
