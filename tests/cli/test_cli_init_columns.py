"""Columns of a data set: told by their names, else by their values, and never guessed between two."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from freezebench.cli.init.columns import UnclearColumnsError, spec_of_data
from freezebench.errors import DataError

TEXTS: list[object] = [f"a film of the number {number} and more" for number in range(12)]


def written(path: Path, **columns: list[object]) -> Path:
    """Write a CSV file, or JSON Lines, and return its path."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(f"{json.dumps(row)}\n" for row in rows)
        else:
            writer = csv.DictWriter(file, list(columns))
            writer.writeheader()
            writer.writerows(rows)
    return path


LABELS: list[object] = [number % 2 for number in range(12)]
NUMBERS: list[object] = list(range(12))
GROUPS: list[object] = [number // 3 for number in range(12)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"text": TEXTS, "label": LABELS}, (("text",), "label", None)),
        ({"id": NUMBERS, "Review": TEXTS, "stars": LABELS}, (("Review",), "stars", None)),
        ({"premise": TEXTS, "hypothesis": TEXTS, "label": LABELS}, (("premise", "hypothesis"), "label", None)),
        ({"id": NUMBERS, "what_they_said": TEXTS, "mood": LABELS}, (("what_they_said",), "mood", None)),
        ({"text": TEXTS, "label": LABELS, "document": GROUPS}, (("text",), "label", "document")),
        ({"text": TEXTS, "label": LABELS, "document": NUMBERS}, (("text",), "label", None)),
        ({"text": TEXTS, "title": TEXTS, "label": LABELS, "score": NUMBERS}, (("text",), "label", None)),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_columns_are_told(
    tmp_path: Path, columns: dict[str, list[object]], expected: tuple[object, ...], suffix: str
) -> None:
    """By usual names; a group column is one that has several rows per value."""
    spec = spec_of_data(written(tmp_path / f"data{suffix}", **columns), None, None)
    assert (spec.text_columns, spec.label_column, spec.group_column) == expected


def test_words_and_tags_are_told(tmp_path: Path) -> None:
    """Lists of words are in the column tokens, and their tags beside it."""
    words: list[object] = [["Ada", "wrote"]] * 4
    spec = spec_of_data(written(tmp_path / "data.jsonl", tokens=words, ner_tags=words), None, None)
    assert (spec.text_columns, spec.label_column) == (("tokens",), "ner_tags")


def test_several_label_columns_may_be_named(tmp_path: Path) -> None:
    """As in a session; one that is missing is named, and none of them has the groups."""
    path = written(tmp_path / "data.csv", text=TEXTS, group=LABELS, long=LABELS, document=GROUPS)
    spec = spec_of_data(path, None, "group,long")
    assert (spec.label_column, spec.group_column) == ("group,long", "document")
    with pytest.raises(DataError, match=r"has no column 'sad': it has .*\. Set --label-column\."):
        spec_of_data(path, None, "sad,long")


@pytest.mark.parametrize(
    ("columns", "message", "is_choice"),
    [
        (
            {"review": TEXTS, "comment": TEXTS, "label": LABELS},
            "has the texts: it has 'review', 'comment'. Name it",
            True,
        ),
        ({"a": NUMBERS, "b": LABELS}, "has the texts: it has 'a', 'b'. Name it with --text-column.", False),
        (
            {"text": TEXTS, "mood": LABELS, "tone": LABELS},
            "the labels: it has 'mood', 'tone' beside the texts.",
            True,
        ),
        ({"text": TEXTS}, "has the labels: it has no other column beside the texts.", False),
    ],
)
def test_two_that_may_be_meant_are_refused(
    tmp_path: Path, columns: dict[str, list[object]], message: str, is_choice: bool
) -> None:
    """The message names them and the option that chooses; data with no candidate are of no use, whatever is chosen."""
    path = written(tmp_path / "data.csv", **columns)
    with pytest.raises(UnclearColumnsError) as caught:
        spec_of_data(path, None, None)
    assert message in str(caught.value)
    assert caught.value.is_choice is is_choice


def test_texts_without_labels_are_no_choice(tmp_path: Path) -> None:
    """A list of translations is not there for training; with a column of labels that a person names, it is."""
    path = written(tmp_path / "data.csv", english=TEXTS, german=TEXTS, number=NUMBERS)
    for label_column, is_choice in ((None, False), ("number", True)):
        with pytest.raises(UnclearColumnsError, match="'english', 'german'") as caught:
            spec_of_data(path, None, label_column)
        assert caught.value.is_choice is is_choice


@pytest.mark.parametrize(("texts", "label"), [(("words",), None), (None, "mood"), (("text", "more"), "label")])
def test_named_columns_have_to_be_there(tmp_path: Path, texts: tuple[str, ...] | None, label: str | None) -> None:
    """So that of several files, those without them are not meant."""
    path = written(tmp_path / "data.csv", text=TEXTS, label=LABELS)
    with pytest.raises(DataError, match=r"has no column '(words|mood|more)': it has 'text', 'label'\. Set --"):
        spec_of_data(path, texts, label)


def test_named_columns_are_taken(tmp_path: Path) -> None:
    """What a person says is not looked for."""
    path = written(tmp_path / "data.csv", review=TEXTS, comment=TEXTS, mood=LABELS, tone=LABELS)
    spec = spec_of_data(path, ("comment",), "tone")
    assert (spec.text_columns, spec.label_column) == (("comment",), "tone")


def test_a_file_without_names_of_columns_is_refused(tmp_path: Path) -> None:
    """Its first example would be taken for them."""
    path = tmp_path / "data.csv"
    path.write_text("".join(f"a film of the number {number},{number % 2}\n" for number in range(12)), encoding="utf-8")
    with pytest.raises(UnclearColumnsError, match=r"its first row seems to be an example .* since '0' is a label of"):
        spec_of_data(path, None, None)
