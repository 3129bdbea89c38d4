"""Words and tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from freezebench.data.load import TextData, load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

WORDS = [["Ada", "Lovelace", "sings"], ["No", "one"], ["Ada"]]
TAGS = [["B-PER", "I-PER", "O"], ["O", "O"], ["B-PER"]]


def _write(folder: Path, rows: list[dict[str, Any]], test: list[dict[str, Any]] | None = None) -> None:
    for split, of_split in (("train", rows), ("validation", rows), ("test", test or rows)):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, of_split)), encoding="utf-8")


def _load(folder: Path, words: list[Any], tags: list[Any], **options: Any) -> TextData:
    _write(folder, [{"tokens": own, "tags": of_words} for own, of_words in zip(words, tags, strict=True)])
    names = options.pop("label_names", None)
    return load_data(DataSpec(source=str(folder), **options), label_names=names)


def test_every_word_has_a_class(tmp_path: Path) -> None:
    """``O`` is the first one; facts have the classes of all words, and the number of words of every sentence."""
    data = _load(tmp_path, WORDS, TAGS)
    assert (data.task, data.label_names, data.test.task) == ("token-classification", ("O", "B-PER", "I-PER"), data.task)
    assert data.test.texts == tuple(map(tuple, WORDS))
    assert data.test.labels == ((1, 2, 0), (0, 0), (1,))
    assert data.facts.test_labels == (1, 2, 0, 0, 0, 1)
    assert data.facts.test_lengths == (3, 2, 1)
    assert data.facts.num_test == 3
    assert data.facts.splits is not None
    assert data.facts.splits["test"].class_counts == (3, 2, 1)
    assert data.facts.splits["test"].word_counts == (0, 1, 1, 1)


@pytest.mark.parametrize("column", ["tags", "ner_tags", "labels", "label"])
def test_usual_names_of_columns_are_found(tmp_path: Path, column: str) -> None:
    """Where the data have neither ``text`` nor ``label``; others are named by the options."""
    _write(tmp_path, [{"tokens": own, column: tags} for own, tags in zip(WORDS, TAGS, strict=True)])
    assert load_data(DataSpec(source=str(tmp_path))).task == "token-classification"
    _write(tmp_path, [{"words": own, "ner": tags} for own, tags in zip(WORDS, TAGS, strict=True)])
    spec = DataSpec(source=str(tmp_path), text_columns=("words",), label_column="ner")
    assert load_data(spec).label_names == ("O", "B-PER", "I-PER")


def test_a_stated_task_prefers_words(tmp_path: Path) -> None:
    """Where the data have the whole texts and a label of each, too."""
    rows = [
        {"text": " ".join(own), "label": number % 2, "tokens": own, "ner_tags": tags}
        for number, (own, tags) in enumerate(zip(WORDS, TAGS, strict=True))
    ]
    _write(tmp_path, rows)
    assert load_data(DataSpec(source=str(tmp_path))).task == "sequence-classification"
    data = load_data(DataSpec(source=str(tmp_path), task="token-classification"))
    assert data.test.texts == tuple(map(tuple, WORDS))


def test_names_of_the_model_give_the_order(tmp_path: Path) -> None:
    """If it names every tag, also ones that do not occur."""
    names = ("I-PER", "B-PER", "O", "B-LOC")
    assert _load(tmp_path, WORDS, TAGS, label_names=names).label_names == names
    small = tuple(name.lower() for name in names)
    assert _load(tmp_path, WORDS, TAGS, label_names=small).test.labels == ((1, 0, 2), (2, 2), (1,))
    assert _load(tmp_path, WORDS, TAGS, label_names=names[1:]).label_names == ("O", "B-PER", "I-PER")


def test_numbers_have_the_names_of_the_format(tmp_path: Path) -> None:
    """Those that occur in train, in the order of their numbers; without names, the numbers are the names."""
    numbers = [[3, 10, 0], [0, 0], [3]]
    assert _load(tmp_path, WORDS, numbers).label_names == ("0", "3", "10")
    (tmp_path / "hub").mkdir()
    feature = {
        "_type": "Sequence",
        "feature": {"_type": "ClassLabel", "names": ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": {"ner_tags": feature}}})}
    table = pa.table({"tokens": WORDS * 10, "ner_tags": [[3, 4, 0], [0, 0], [3]] * 10})
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "hub" / "train.parquet")
    data = load_data(DataSpec(source=str(tmp_path / "hub")))
    assert data.label_names == ("O", "B-PER", "I-PER")


@pytest.mark.parametrize(
    ("words", "tags", "fault"),
    [
        (None, ["O"], "the words are missing"),
        ("Ada", ["O"], "the words are a string, and other rows have a list"),
        ([], [], "there are no words"),
        (["a", 3], ["O", "O"], "word 2 is a whole number, not a string"),
        (["a", " "], ["O", "O"], "word 2 is empty or has no visible character"),
        (["\u200b"], ["O"], "word 1 is empty or has no visible character"),
        (["a\0"], ["O"], "word 1 holds a NUL character"),
        (["a"] * 10_001, ["O"] * 10_001, "it has 10,001 words, more than 10,000"),
        (["a" * 600_000] * 2, ["O", "O"], "its words have 1,200,000 characters, more than"),
        (["a"], None, "the tags are missing"),
        (["a"], "O", "the tags are a string, not a list"),
        (["a", "b"], ["O"], "there are 1 tags for 2 words"),
        (["a", "b"], ["O", None], "tag 2 is missing"),
        (["a"], [""], "tag 1 is missing"),
        (["a"], [0.5], "tag 1 is a number; names and whole numbers can be tags"),
        (["a"], [True], "tag 1 is true or false; names"),
        (["a"], [-100], "tag 1 is -100, which has no name"),
        (["a"], ["x" * 201], "tag 1 has 201 characters"),
    ],
)
def test_other_values_are_bad_rows(tmp_path: Path, words: Any, tags: Any, fault: str) -> None:
    """They are refused with their line, or left out and counted."""
    with pytest.raises(DataError, match=f"train.jsonl, line 4: {fault}"):
        _load(tmp_path, [*WORDS, words], [*TAGS, tags])
    assert len(_load(tmp_path, [*WORDS, words], [*TAGS, tags], bad_rows="drop").train) == 3


def test_tags_that_cannot_be_learned_are_refused(tmp_path: Path) -> None:
    """One alone, names and numbers, or one that only another split has."""
    with pytest.raises(DataError, match="has 1 different tag, and token-classification takes 2 to 1,000"):
        _load(tmp_path, [["a"], ["b"]], [["O"], ["O"]])
    with pytest.raises(DataError, match=r"has names and numbers as tags\. Use one kind throughout"):
        _load(tmp_path, [["a"], ["b"]], [["O"], [1]])
    rows = [{"tokens": own, "tags": tags} for own, tags in zip(WORDS, TAGS, strict=True)]
    _write(tmp_path, rows, [*rows, {"tokens": ["Rome"], "tags": ["B-LOC"]}])
    message = (
        r"test.jsonl, line 4: label 'B-LOC' never occurs in .*, which has O, B-PER, I-PER; 1 of 7 labels are unknown"
    )
    with pytest.raises(DataError, match=message):
        load_data(DataSpec(source=str(tmp_path)))


def test_numbers_have_the_names_of_the_model(tmp_path: Path) -> None:
    """Without them, entities would be judged by the accuracy of numbers, and the fine-tuned head would be dropped."""
    names = ("O", "B-PER", "I-PER", "B-LOC")
    numbers = [[1, 2, 0], [0, 0], [1]]
    data = _load(tmp_path, WORDS, numbers, label_names=names)
    assert (data.label_names, data.test.labels) == (names, ((1, 2, 0), (0, 0), (1,)))
    assert "There are 4 tags, which the model's configuration numbers so: O, B-PER, I-PER, B-LOC." in data.facts.notes
    # A number beyond them says that they are not the model's.
    beyond = _load(tmp_path, WORDS, [[1, 2, 0], [0, 4], [1]], label_names=names)
    assert beyond.label_names == ("0", "1", "2", "4")
    assert _load(tmp_path, WORDS, numbers, label_names=("LABEL_0", "LABEL_1", "LABEL_2")).label_names == ("0", "1", "2")


def test_sentences_repeat_by_their_words(tmp_path: Path) -> None:
    """Case aside; the border between two words matters."""
    words = [["Ada", "sings"], ["ADA", "sings"], ["Ada sings"]]
    data = _load(tmp_path, words, [["B-PER", "O"], ["B-PER", "O"], ["O"]])
    assert data.facts.test_groups == (0, 0, 1)
