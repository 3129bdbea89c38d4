"""Loading a data set: sources, draws and notes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from freezebench.data.load import load_data
from freezebench.data.read import local_file_hashes
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

REPOSITORY = Path(__file__).parents[2]
SST2 = Path(os.environ.get("FREEZEBENCH_SST2") or REPOSITORY.parent / "shared/data/sst2")

needs_sst2 = pytest.mark.skipif(not SST2.is_dir(), reason=f"the SST-2 files are not at {SST2} (FREEZEBENCH_SST2)")

Row = tuple[str, object]


def write(path: Path, rows: list[Row]) -> None:
    """Write examples as JSON Lines."""
    lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
    path.write_text("".join(lines), encoding="utf-8")


def rows(num_rows: int, start: int = 0, num_classes: int = 2) -> list[Row]:
    """Return different examples whose classes alternate."""
    return [(f"sentence number {index}", index % num_classes) for index in range(start, start + num_rows)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three splits."""
    write(tmp_path / "train.jsonl", rows(40))
    write(tmp_path / "validation.jsonl", rows(10, start=100))
    write(tmp_path / "test.jsonl", rows(11, start=200))
    return tmp_path


def test_a_folder_is_read_in_file_order(folder: Path) -> None:
    """Three files give three splits, without notes."""
    data = load_data(DataSpec(source=str(folder)))

    assert data.num_examples == {"train": 40, "validation": 10, "test": 11}
    assert data.test.texts[0] == ("sentence number 200",)
    assert data.test.labels[:3] == (0, 1, 0)
    assert (data.label_names, data.num_labels) == (("0", "1"), 2)
    assert (data.notes, data.source) == ((), str(folder))
    assert len(data.train) == data.train.num_examples == 40


def test_content_hash_depends_on_content(folder: Path) -> None:
    """Equal content has equal hashes, and one changed label or text another one."""
    spec = DataSpec(source=str(folder))
    before = load_data(spec)
    assert load_data(spec) == before

    changed = rows(11, start=200)
    changed[3] = (changed[3][0], 0)
    write(folder / "test.jsonl", changed)
    after = load_data(spec)
    assert after.test.sha256 != before.test.sha256
    assert after.train.sha256 == before.train.sha256


def test_content_hash_depends_on_the_border_of_pairs(tmp_path: Path) -> None:
    """Moving the border between two texts changes the hash."""
    hashes = []
    for index, (first, second) in enumerate([("ab", "c"), ("a", "bc")]):
        folder = tmp_path / str(index)
        folder.mkdir()
        lines = [json.dumps({"a": first, "b": second, "label": label}) for label in (0, 1)]
        for split in ("train", "validation", "test"):
            (folder / f"{split}.jsonl").write_text("\n".join(lines))
        data = load_data(DataSpec(source=str(folder), text_columns=("a", "b")))
        assert data.train.texts[0] == (first, second)
        hashes.append(data.train.sha256)
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize("name", ["val", "dev", "valid", "Validation"])
def test_validation_has_several_names(folder: Path, name: str) -> None:
    """A validation file may have any of the usual names."""
    (folder / "validation.jsonl").rename(folder / f"{name}.jsonl")
    assert load_data(DataSpec(source=str(folder))).validation.num_examples == 10


def test_missing_validation_is_drawn_from_train(folder: Path) -> None:
    """Without a validation file, a tenth of train is drawn, class by class, with a note."""
    (folder / "validation.jsonl").unlink()
    data = load_data(DataSpec(source=str(folder)))

    assert data.num_examples == {"train": 36, "validation": 4, "test": 11}
    assert Counter(data.validation.labels) == {0: 2, 1: 2}
    assert not set(data.train.texts) & set(data.validation.texts)
    assert data.notes == ("There is no validation split: 4 of the 40 train examples became it (stratified, seed 42).",)


def test_missing_test_is_half_of_validation(folder: Path) -> None:
    """Without a test file, half of the validation file is used, with a note."""
    (folder / "test.jsonl").unlink()
    data = load_data(DataSpec(source=str(folder)))

    assert data.num_examples == {"train": 40, "validation": 5, "test": 5}
    assert len({*data.validation.texts, *data.test.texts}) == 10
    assert "half of the 10 validation examples" in data.notes[0]


def test_one_file_is_split_three_ways(tmp_path: Path) -> None:
    """A single file is split 80/10/10, stratified; equal seeds give equal splits."""
    write(tmp_path / "reviews.jsonl", rows(200, num_classes=4))
    spec = DataSpec(source=str(tmp_path / "reviews.jsonl"))
    data = load_data(spec)

    assert data.num_examples == {"train": 160, "validation": 20, "test": 20}
    assert set(Counter(data.test.labels).values()) == {5}
    assert len({*data.train.texts, *data.validation.texts, *data.test.texts}) == 200
    assert load_data(spec) == data
    assert load_data(replace(spec, split_seed=43)).test != data.test


def test_too_few_examples_to_split(tmp_path: Path) -> None:
    """A class with one example stays in train; if nothing is left to draw, there is an error."""
    write(tmp_path / "few.jsonl", rows(2))
    with pytest.raises(DataError, match=r"too few examples of its 2 classes to draw a validation split from"):
        load_data(DataSpec(source=str(tmp_path / "few.jsonl")))


@pytest.mark.parametrize("num_rows", [1, 2, 3])
def test_notebook_rule_with_a_tiny_test_split(folder: Path, num_rows: int) -> None:
    """Halving one example is an error, halving two is not."""
    write(folder / "test.jsonl", rows(num_rows, start=200))
    spec = DataSpec(source=str(folder), split_rule="notebook")
    if num_rows == 1:
        with pytest.raises(DataError, match="too few examples"):
            load_data(spec)
    else:
        assert load_data(spec).validation.num_examples == 1


def test_notebook_rule_needs_a_test_split(folder: Path) -> None:
    """Without a test split, which it halves, there is an error."""
    (folder / "test.jsonl").unlink()
    with pytest.raises(DataError, match="the notebook's split halves the test split"):
        load_data(DataSpec(source=str(folder), split_rule="notebook"))


def test_max_train_draws_once_and_stratified(folder: Path) -> None:
    """A limit draws a stratified subset in file order, the same at every call."""
    spec = DataSpec(source=str(folder), max_train=11)
    data = load_data(spec)

    assert Counter(data.train.labels).most_common() in ([(0, 6), (1, 5)], [(1, 6), (0, 5)])
    numbers = [int(texts[0].rsplit(" ", 1)[1]) for texts in data.train.texts]
    assert numbers == sorted(numbers)
    assert load_data(spec) == data
    assert data.notes == ("11 of the 40 train examples were drawn (stratified, seed 42).",)


@pytest.mark.parametrize("max_train", [40, 41, 10**9])
def test_max_train_above_the_size_changes_nothing(folder: Path, max_train: int) -> None:
    """A limit above the size changes neither data nor notes."""
    unlimited = load_data(DataSpec(source=str(folder)))
    assert load_data(DataSpec(source=str(folder), max_train=max_train)) == unlimited


def test_max_train_below_the_number_of_classes(folder: Path) -> None:
    """Fewer training examples than classes is an error that names the smallest limit."""
    write(folder / "train.jsonl", rows(40, num_classes=4))
    with pytest.raises(DataError, match=r"3 training examples cannot cover the 4 classes .* to 4 or more"):
        load_data(DataSpec(source=str(folder), max_train=3))


ADVICE = "Remove them from train: results on what was trained on are too good."


def test_leakage_is_reported(folder: Path) -> None:
    """Test and validation sentences that also occur in train are counted, without regard to white space and case."""
    write(folder / "test.jsonl", [*rows(9, start=200), ("  Sentence  NUMBER 3", 0), ("sentence number 4", 1)])
    write(folder / "train.jsonl", [*rows(40), ("sentence number 0 ", 0)])
    assert load_data(DataSpec(source=str(folder))).notes == (
        "Leakage: 2 of 11 test examples (18.2 %) also occur in train, white space and case aside. " + ADVICE,
        "1 of 41 train examples repeat another one's text.",
    )


def test_text_columns_are_checked(folder: Path) -> None:
    """The error on a missing column lists those that exist; equal names are refused."""
    with pytest.raises(DataError, match=r"has no column 'sentence': it has 'text', 'label'\. Set --freeze-text-column"):
        load_data(DataSpec(source=str(folder), text_columns=("sentence",)))
    with pytest.raises(DataError, match=r"has no column 'gold': .* Set --freeze-label-column"):
        load_data(DataSpec(source=str(folder), label_column="gold"))
    with pytest.raises(DataError, match="a column occurs twice"):
        load_data(DataSpec(source=str(folder), text_columns=("label",)))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "is missing"),
        (math.nan, "is missing"),
        ("", "is empty"),
        (" \t\u00a0", "is empty"),
        ("\u200b", "has no visible character"),
        ("\ufeff \u200d\u00ad", "has no visible character"),
        (3, "is not a string but a whole number"),
        (2.5, "is not a string but a number"),
        (True, "is not a string but true or false"),
        (["a"], "is not a string but a list"),
        ({}, "is not a string but an object"),
        ("a\0b", "holds a NUL character"),
        ("a\ud800b", "holds half of a surrogate pair"),
        ("x" * 1_000_001, "has 1,000,001 characters, more than 1,000,000"),
    ],
)
def test_unusable_text_names_its_row(folder: Path, text: object, fault: str) -> None:
    """The message gives file and line of a text that cannot be encoded, and the number of others."""
    lines = [json.dumps({"text": value, "label": 0}) for value in ("fine", text, "fine", None)]
    (folder / "test.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(source=str(folder)))
    assert f"test.jsonl, line 2: the text in column 'text' {fault}; line 4: the text" in str(caught.value)
    assert "2 of 54 rows cannot be used: correct or remove them, or leave them out with" in str(caught.value)


def test_html_stays_text(folder: Path) -> None:
    """Mark-up inside a text is not changed."""
    hostile = "<script>alert('x')</script> & \u202e \x1b[31m"
    write(folder / "test.jsonl", [*rows(5, start=200), (hostile, 1)])
    assert load_data(DataSpec(source=str(folder))).test.texts[-1] == (hostile,)


def test_generated_sentences_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data set of version 0.1 is no data set of the Hub; a folder of that name is a folder."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"'generated' was removed from freezebench\. Use 'reviews'.*, or a folder"):
        load_data(DataSpec(source="generated"))
    (tmp_path / "generated").mkdir()
    write(tmp_path / "generated" / "train.jsonl", rows(40))
    assert load_data(DataSpec(source="generated")).num_examples == {"train": 32, "validation": 4, "test": 4}


@pytest.mark.parametrize(
    "source", ["./nothing", "/nothing/here", "nothing.csv", "a/b/c", "~nobody-of-this-name/x", "a\0b", "x" * 5000]
)
def test_missing_path(source: str) -> None:
    """A source that is neither a path nor a Hub name is refused without a request to the Hub."""
    with pytest.raises(DataError, match=r"there is no file or folder|cannot look up"):
        load_data(DataSpec(source=source))


def test_a_pipe_is_neither_read_nor_hashed(folder: Path) -> None:
    """Reading a pipe blocks for ever, also for the hashes that tell whether files changed."""
    os.mkfifo(folder / "test.csv")
    (folder / "test.jsonl").unlink(missing_ok=True)
    assert local_file_hashes(str(folder)) == {}
    with pytest.raises(DataError, match=r"test\.csv is a folder or a device, not a file\. Give a regular file\."):
        load_data(DataSpec(source=str(folder)))


def test_local_data_needs_neither_torch_nor_network(folder: Path) -> None:
    """Reading a local folder imports no torch, transformers or datasets, and opens no socket."""
    code = (
        "import socket, sys\n"
        "socket.socket.connect = lambda *_: sys.exit('network')\n"
        "from freezebench.specs.data import DataSpec\n"
        "from freezebench.data.load import load_data\n"
        f"load_data(DataSpec(source={str(folder)!r}))\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"


@needs_sst2
def test_sst2() -> None:
    """The real SST-2 has its published sizes, class names, and two leaked sentences."""
    data = load_data(DataSpec(source=str(SST2)))
    assert data.num_examples == {"train": 6920, "validation": 872, "test": 1821}
    assert data.label_names == ("negative", "positive")
    assert sum(data.test.labels) == 909
    assert data.notes[0].startswith("Leakage: 2 of 1821 test examples")


@needs_sst2
def test_sst2_with_the_notebook_rule() -> None:
    """The halves are 910 and 911 sentences of the test split, those of the notebook's own call."""
    from datasets import Dataset

    own = load_data(DataSpec(source=str(SST2)))
    data = load_data(DataSpec(source=str(SST2), split_rule="notebook"))
    assert data.num_examples == {"train": 6920, "validation": 910, "test": 911}
    assert data.train == own.train

    test = Dataset.from_dict({"text": [texts[0] for texts in own.test.texts], "label": list(own.test.labels)})
    halves = test.train_test_split(test_size=0.5, seed=42, shuffle=True)
    for split, half in ((data.validation, halves["train"]), (data.test, halves["test"])):
        assert [texts[0] for texts in split.texts] == list(half["text"])
        assert list(split.labels) == list(half["label"])
    assert data.notes[:2] == (
        "The 872 validation examples are ignored, as in the notebook.",
        "The 1821 test examples are halved as in the notebook: 910 for validation, 911 for test.",
    )
