"""Splits that are drawn: the copies of a text are in one of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec


def _write(path: Path, rows: list[tuple[str, int]]) -> None:
    """Write examples as JSON Lines."""
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))


def _rows(num_rows: int, start: int = 0) -> list[tuple[str, int]]:
    """Return different examples whose two classes alternate."""
    return [(f"sentence number {index}", index % 2) for index in range(start, start + num_rows)]


def test_rows_of_one_text_are_drawn_together(tmp_path: Path) -> None:
    """White space and case aside: no copy of a test text is trained on. The sizes are those of other data."""
    path = tmp_path / "reviews.jsonl"
    _write(path, [*_rows(200), *((f" {text.upper()}", label) for text, label in _rows(200))])
    data = load_data(DataSpec(source=str(path)))
    keys = [set(split.keys) for split in (data.train, data.validation, data.test)]
    assert sum(map(len, keys)) == len(set.union(*keys)) == 200
    assert data.num_examples == {"train": 320, "validation": 40, "test": 40}
    assert Counter(data.test.labels) == {0: 20, 1: 20}
    assert "(stratified, rows of one text kept together, seed 42)" in data.notes[0]
    assert not any(note.startswith("Leakage") for note in data.notes)
    _write(path, _rows(1) * 20 + _rows(1, start=1) * 20)
    with pytest.raises(DataError, match="too few examples with different texts of its 2 classes to draw a valid"):
        load_data(DataSpec(source=str(path)))


def test_half_of_a_validation_split_shares_no_text_with_the_other(tmp_path: Path) -> None:
    """Nor do other parts; groups that share a text are one."""
    _write(tmp_path / "train.jsonl", _rows(40, start=100))
    _write(tmp_path / "validation.jsonl", _rows(20) * 3)
    data = load_data(DataSpec(source=str(tmp_path)))
    assert not set(data.validation.texts) & set(data.test.texts)
    assert len(data.validation) == len(data.test) == 30


def test_rows_without_repeats_keep_their_splits(tmp_path: Path) -> None:
    """These rows are the same in every version."""
    _write(tmp_path / "reviews.jsonl", _rows(60))
    data = load_data(DataSpec(source=str(tmp_path / "reviews.jsonl")))
    assert [int(text.split()[-1]) for (text,) in data.test.texts] == [18, 27, 29, 36, 53, 56]
