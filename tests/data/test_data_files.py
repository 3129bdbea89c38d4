"""Local data sets: which files are read as which split, and which are named as unused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from freezebench.data.files import read_local, split_files
from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

REQUESTED = ("text", "label")


def test_folder_instead_of_file(tmp_path: Path) -> None:
    """A folder with the name of a split file is an error."""
    (tmp_path / "train.csv").mkdir()
    with pytest.raises(DataError, match=r"train.csv is a folder or a device, not a file"):
        read_local(tmp_path, REQUESTED)


def test_pipe_instead_of_file(tmp_path: Path) -> None:
    """A pipe, which would block, is refused."""
    os.mkfifo(tmp_path / "train.csv")
    with pytest.raises(DataError, match="not a file"):
        read_local(tmp_path, REQUESTED)


def test_symlink_loops(tmp_path: Path) -> None:
    """A link to itself is an error, as a folder or as a file."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match="there is no file or folder"):
        load_data(DataSpec(source=str(tmp_path / "loop")))
    (tmp_path / "train.csv").symlink_to("train.csv")
    with pytest.raises(DataError, match=r"cannot read .*train.csv: .*symbolic links"):
        load_data(DataSpec(source=str(tmp_path)))


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or folder without permission is an error that names it."""

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "train.csv").write_text("text,label\n")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(DataError, match=r"cannot read .*train.csv: Permission denied\. Check"):
            read_local(tmp_path, REQUESTED)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=r"cannot read .*: Permission denied"):
        read_local(tmp_path, REQUESTED)


@pytest.mark.parametrize(("first", "second"), [("train.csv", "train.jsonl"), ("dev.csv", "validation.csv")])
def test_two_files_for_one_split(tmp_path: Path, first: str, second: str) -> None:
    """Two files that claim one split are an error that names both."""
    for name in {"train.csv", first, second}:
        (tmp_path / name).write_text("text,label\na,1\n")
    with pytest.raises(DataError, match=f"two files for the .* split, {first} and {second}"):
        split_files(tmp_path)


def test_files_that_are_not_used_are_named(tmp_path: Path) -> None:
    """Files with the format of data or the name of a split are; others are not worth a note."""
    for name in (
        "train.csv",
        "README.md",
        "test.txt",
        "dev_matched.tsv",
        "test.csv.gz",
        ".validation.csv",
        "notes.txt",
    ):
        (tmp_path / name).write_text("text,label\na,1\n")
    files = split_files(tmp_path)
    assert files.by_split == {"train": (tmp_path / "train.csv",)}
    unused = "Files that are not used: dev_matched.tsv, test.csv.gz, test.txt."
    assert files.notes == (f"{unused} A split's file is called train, validation or test.",)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ("train.csv", "dev.tsv", "testing.csv"),
            {"train": "train.csv", "validation": "dev.tsv", "test": "testing.csv"},
        ),
        (("Training.CSV", "development.json"), {"train": "Training.CSV", "validation": "development.json"}),
        (("train.csv", "eval.csv"), {"train": "train.csv", "validation": "eval.csv"}),
        (("train.csv", "eval.csv", "val.csv"), {"train": "train.csv", "validation": "val.csv", "test": "eval.csv"}),
        (
            ("train.csv", "evaluation.csv", "test.csv"),
            {"train": "train.csv", "validation": "evaluation.csv", "test": "test.csv"},
        ),
    ],
)
def test_names_of_splits(tmp_path: Path, names: tuple[str, ...], expected: dict[str, str]) -> None:
    """A file called eval becomes the split that is missing, and a note says which."""
    for name in names:
        (tmp_path / name).touch()
    files = split_files(tmp_path)
    assert {split: path.name for split, (path,) in files.by_split.items()} == expected
    taken = [f"{name} is used as the {split} split." for split, name in expected.items() if name.startswith("eval")]
    assert files.notes == tuple(taken)


def test_eval_beside_validation_and_test_is_named(tmp_path: Path) -> None:
    """There is no place left for it."""
    for name in ("train.csv", "valid.csv", "test.csv", "eval.csv"):
        (tmp_path / name).touch()
    assert split_files(tmp_path).notes[0].startswith("Files that are not used: eval.csv.")


@pytest.mark.parametrize("inner", ["", "data"])
@pytest.mark.parametrize("hash_part", ["", "-b42a775f407cee45"])
def test_parts_of_a_split(tmp_path: Path, inner: str, hash_part: str) -> None:
    """Parts are read in their order, also from the folder where the Hub has them; messages name the part."""
    from datasets import Dataset

    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    for part in (1, 0):
        texts = [f"film {part} {number}" for number in range(10)]
        data = Dataset.from_dict({"text": texts, "label": [0, 1] * 5})
        data.to_parquet(folder / f"train-{part:05}-of-00002{hash_part}.parquet")
    tables, notes = read_local(tmp_path, REQUESTED)
    assert tables["train"].columns["text"][9:11] == ["film 0 9", "film 1 0"]
    assert tables["train"].location(10) == f"{folder}/train-00001-of-00002{hash_part}.parquet, row 1"
    assert notes == ()
    assert load_data(DataSpec(source=str(tmp_path))).num_examples["train"] == 16

    (folder / f"train-00000-of-00002{hash_part}.parquet").unlink()
    with pytest.raises(DataError, match=r"has 1 of the 2 parts of its train split\. Add the others"):
        split_files(tmp_path)


@pytest.mark.parametrize("first", [0, 1])
def test_parts_without_rows(tmp_path: Path, first: int) -> None:
    """A part may be empty or have bad rows alone; parts are counted from 0 or from 1."""
    rows = "".join(f'{{"text": "{number}", "label": {number % 2}}}\n' for number in range(18))
    contents = ["", "not json\n", rows]
    for part, content in enumerate(contents, start=first):
        (tmp_path / f"train-{part:05}-of-00003.jsonl").write_text(content)
    with pytest.raises(DataError, match=rf"train-0000{1 + first}-of-00003.jsonl, line 1: it is not JSON"):
        load_data(DataSpec(source=str(tmp_path)))
    data = load_data(DataSpec(source=str(tmp_path), bad_rows="drop"))
    assert sum(data.num_examples.values()) == 18
    assert data.facts.dropped_rows == {"train": {"unreadable": 1}}


def test_parts_of_different_columns(tmp_path: Path) -> None:
    """They are no parts of one split."""
    for part, key in enumerate(("label", "gold")):
        (tmp_path / f"train-0000{part}-of-00002.jsonl").write_text(f'{{"text": "a", "{key}": 0}}\n')
    with pytest.raises(DataError, match=r"00000-of-00002.jsonl and .*00001-of-00002.jsonl are parts of one split, but"):
        read_local(tmp_path, REQUESTED)


def test_one_part_alone_is_read_with_a_note(tmp_path: Path) -> None:
    """The file was named, but it may be thought to be all of the data."""
    path = tmp_path / "train-00000-of-00002.csv"
    path.write_text("text,label\na,1\nb,0\n")
    _, notes = read_local(path, REQUESTED)
    assert notes == (
        f"{path.name} is one of several parts, and the others are not used. Give the folder to use all of them.",
    )


def test_bad_rows_of_parts_are_listed_by_file(tmp_path: Path) -> None:
    """Each part has lines of its own."""
    (tmp_path / "train-00000-of-00002.csv").write_text("text,label\na,1\nb,\n")
    (tmp_path / "train-00001-of-00002.csv").write_text("text,label\n,1\nc,0\nd,1\ne,0\n")
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(source=str(tmp_path)))
    assert "00000-of-00002.csv, line 3: the label is missing; " in str(caught.value)
    assert "00001-of-00002.csv, line 2: the text in column 'text' is empty. 2 of 6 rows" in str(caught.value)
    tables, _ = read_local(tmp_path, REQUESTED)
    kept = tables["train"].without({1: None, 2: None})
    assert kept.columns["text"] == ["a", "c", "d", "e"]
    assert kept.location(1).endswith("00001-of-00002.csv, line 3")


def test_folders_of_save_to_disk(tmp_path: Path) -> None:
    """One split, or a data set of several with an unknown one, which is named; class names are kept."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["ham", "spam"]), "id": Value("int64")})
    columns = {"text": [f"t{i}" for i in range(40)], "label": [0, 1] * 20, "id": list(range(40))}
    data = Dataset.from_dict(columns, features=features)
    data.save_to_disk(tmp_path / "one", num_shards=2)
    splits = {"train": data, "dev": data.select(range(8)), "extra": data, "test": data.select(range(10))}
    DatasetDict(splits).save_to_disk(tmp_path / "several")

    one = load_data(DataSpec(source=str(tmp_path / "one")))
    assert (one.num_examples["train"], one.label_names) == (32, ("ham", "spam"))
    several = load_data(DataSpec(source=str(tmp_path / "several")))
    assert several.num_examples == {"train": 40, "validation": 8, "test": 10}
    assert several.train.texts[:2] == (("t0",), ("t1",))
    assert several.notes[0] == "Splits that are not used: extra."


def test_a_folder_of_save_to_disk_without_train(tmp_path: Path) -> None:
    """The splits that it has are listed."""
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["corpus", "queries"]}')
    with pytest.raises(DataError, match=r"has no train split: it has corpus, queries\. Name one of them train"):
        split_files(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"splits": 3}', '{"_data_files": [3]}', "[" * 100_000, "\0"])
def test_damaged_folders_of_save_to_disk(tmp_path: Path, content: str) -> None:
    """What lists the files is checked like data."""
    for name in ("state.json", "dataset_dict.json"):
        folder = tmp_path / name[:5]
        folder.mkdir()
        (folder / name).write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=f"{name} does not list the"):
            split_files(folder)


def test_a_list_of_files_leads_out_of_no_folder(tmp_path: Path) -> None:
    """Only the names count; one that is no Arrow file is refused, and one that is not there is named."""
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "../../etc/passwd"}]}')
    with pytest.raises(DataError, match=r"state.json lists 'passwd', which is no Arrow file"):
        split_files(tmp_path)
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "../../etc/x.arrow"}]}')
    assert split_files(tmp_path).by_split == {"train": (tmp_path / "x.arrow",)}
    with pytest.raises(DataError, match=r"cannot read .*x.arrow: No such file"):
        read_local(tmp_path, REQUESTED)
    (tmp_path / "x.arrow").write_bytes(b"text,label\na,1\n" * 10)
    with pytest.raises(DataError, match=r"cannot read .*x.arrow as an Arrow stream: .*Write the file again"):
        read_local(tmp_path, REQUESTED)


def test_folder_without_train(tmp_path: Path) -> None:
    """A folder without a train file is an error that lists what it has."""
    with pytest.raises(DataError, match="has no train file: it has nothing"):
        split_files(tmp_path)
    for index in range(12):
        (tmp_path / f"f{index:02}").touch()
    with pytest.raises(DataError, match=r"f00, f01.* and 2 more\. Put train, validation and test files in it"):
        split_files(tmp_path)


def test_unknown_format(tmp_path: Path) -> None:
    """A file whose ending is unknown is an error that lists the known ones."""
    (tmp_path / "data.xlsx").touch()
    with pytest.raises(DataError, match=r"\.xlsx is not a known format\. Give one of \.jsonl, \.json, \.csv"):
        load_data(DataSpec(source=str(tmp_path / "data.xlsx")))
