"""CoNLL files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import freezebench.data.conll as module
from freezebench.data.conll import read_conll
from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

CONLL_2003 = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

Peter NNP B-NP B-PER
Blackburn NNP I-NP I-PER
"""


def _read(folder: Path, text: str, requested: tuple[str, ...] = ("tokens", "tags")) -> list[list[object]]:
    path = folder / "train.conll"
    path.write_text(text, encoding="utf-8")
    table = read_conll(path, requested)
    assert table.bad_rows is None
    return [list(table.columns[name]) for name in requested]


def test_words_and_tags_are_the_first_and_last_column(tmp_path: Path) -> None:
    """A line that begins a document is none of its words, and the last sentence needs no blank line."""
    words, tags = _read(tmp_path, CONLL_2003)
    assert words == [["EU", "rejects"], ["Peter", "Blackburn"]]
    assert tags == [["B-ORG", "O"], ["B-PER", "I-PER"]]


def test_columns_have_numbers(tmp_path: Path) -> None:
    """So that parts of speech can be learned."""
    words, tags = _read(tmp_path, CONLL_2003, ("1", "2"))
    assert words[0] == ["EU", "rejects"]
    assert tags == [["NNP", "VBZ"], ["NNP", "NNP"]]


@pytest.mark.parametrize("name", ["domain", "2"])
@pytest.mark.parametrize(("field", "option"), [("group_column", "group-column"), ("slice_column", "slice-column")])
def test_slices_and_groups_need_another_format(tmp_path: Path, field: str, option: str, name: str) -> None:
    """No option could name a column of them: all have a value per word."""
    (tmp_path / "train.conll").write_text(CONLL_2003, encoding="utf-8")
    message = (
        rf"--freeze-{option}={name}: .*train\.conll is a CoNLL file, .*none per sentence\. Write \.jsonl files with"
    )
    options: dict[str, Any] = {"source": str(tmp_path), field: name}
    with pytest.raises(DataError, match=message):
        load_data(DataSpec(**options))


def test_a_column_that_counts_words_is_not_taken_for_words(tmp_path: Path) -> None:
    """CoNLL-U begins with one: a model would learn the tags of the numbers 1, 2, 3."""
    text = "1\tAda\tB-PER\n2\tsings\tO\n\n1-2\tdon't\t_\n1\tdo\tO\n2\tn't\tO\n"
    with pytest.raises(
        DataError, match=r"the first column counts the words of a sentence, as in CoNLL-U\. Name the col"
    ):
        _read(tmp_path, text)
    assert _read(tmp_path, text, ("2", "3"))[0][0] == ["Ada", "sings"]
    # Numbers may be words.
    assert _read(tmp_path, "1 CD O\nfilm NN O\n\nno DT O\n")[0] == [["1", "film"], ["no"]]


def test_tabs_leave_blanks_in_words(tmp_path: Path) -> None:
    """Without a tab, any number of blanks separates values, but not a no-break space."""
    assert _read(tmp_path, "New York\tB-LOC\r\nis\tO\r\n\r\n")[0] == [["New York", "is"]]
    assert _read(tmp_path, "New\u00a0York   B-LOC \nis O\n")[0] == [["New\u00a0York", "is"]]


def test_comments_are_no_words(tmp_path: Path) -> None:
    """Number signs are words where they have a tag that other rows have, and within a sentence."""
    text = "# newdoc\n# sent_id = 1\n# id 12 x\nHe O\n# O\n\n# O\n#Paris B-LOC\nis O\n\n# a comment\n# b\n\n#\tO\nx O\n"
    words, _ = _read(tmp_path, text)
    assert words == [["He", "#"], ["#", "#Paris", "is"], ["#", "x"]]


def test_a_row_with_other_columns_spoils_its_sentence(tmp_path: Path) -> None:
    """The sentence is named by its first line, and the row by its own."""
    path = tmp_path / "train.bio"
    path.write_text("a O\nb O\n\nc O\nd\ne O\n\nf B-X\n\ng\tO\n\t O\n", encoding="utf-8")
    message = (
        r"line 4: line 5 has 1 values, and the first row 2; line 10: word 2 is empty or has no visible character\. "
        "2 of 4 rows cannot be used"
    )
    with pytest.raises(DataError, match=message):
        load_data(DataSpec(source=str(path)))
    table = read_conll(path, ("tokens",))
    assert (table.location(1), table.num_rows) == (f"{path}, line 8", 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("word\nword\n", r"line 1: a row of a CoNLL file has a word and its tags, .* and this one has 1 values"),
        (" ".join("x" * 101), "has a word and its tags"),
        ("This is prose.\n\nIt has more lines\n\nof many words or few\n", "is no CoNLL file: most of its sentences"),
        ("", "has no rows"),
        ("\n\n# only = comments\n\n", "has no rows"),
        ("a O\nb O\n", "has 1 different tag, and token-classification takes 2 to 1,000"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """In one sentence."""
    path = tmp_path / "train.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_data(DataSpec(source=str(path)))


def test_a_file_of_any_size_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All sentences are in memory at once."""
    monkeypatch.setattr(module, "_MAX_CHARS", 100)
    with pytest.raises(DataError, match="has more than 100 characters"):
        _read(tmp_path, "word O\n" * 15)


def test_a_plain_text_file_beside_data_is_no_data(tmp_path: Path) -> None:
    """Only where no other format has the split's name."""
    (tmp_path / "train.jsonl").write_text(
        "".join(f'{{"text": "{number}", "label": {number % 2}}}\n' for number in range(40)), encoding="utf-8"
    )
    (tmp_path / "train.txt").write_text("some notes on the data", encoding="utf-8")
    (tmp_path / "README.txt").write_text("more notes", encoding="utf-8")
    data = load_data(DataSpec(source=str(tmp_path)))
    assert data.task == "sequence-classification"
    assert not any("README" in note for note in data.notes)
    for split in ("train", "dev", "test"):
        (tmp_path / "conll").mkdir(exist_ok=True)
        (tmp_path / "conll" / f"{split}.txt").write_text(CONLL_2003, encoding="utf-8")
    data = load_data(DataSpec(source=str(tmp_path / "conll")))
    assert (data.task, data.num_examples) == ("token-classification", {"train": 2, "validation": 2, "test": 2})
    assert data.label_names == ("O", "B-ORG", "B-PER", "I-PER")
