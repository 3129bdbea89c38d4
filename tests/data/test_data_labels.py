"""Labels: which are kept, which become class numbers, and which are refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.data.columns import select_columns
from freezebench.data.labels import Labels, read_labels
from freezebench.data.table import Table
from freezebench.data.usable import usable_rows
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

SPEC = DataSpec(source="made-up")


def table(
    name: str,
    labels: list[object],
    texts: list[object] | None = None,
    class_names: tuple[str, ...] | None = None,
    *,
    is_typed: bool = True,
) -> Table:
    """Return a table with a label column, and perhaps one of label texts."""
    columns: dict[str, list[object]] = {"text": ["fine"] * len(labels), "label": labels}
    if texts is not None:
        columns["label_text"] = texts
    return Table(
        name=name,
        columns=columns,
        available=tuple(columns),
        num_rows=len(labels),
        class_names={"label": class_names} if class_names else {},
        is_typed=is_typed,
    )


def labels_of(tables: dict[str, Table], names: tuple[str, ...] | None = None) -> Labels:
    """Return the labels of tables by split."""
    selected = select_columns(SPEC, tables, drop_unlabelled=False)[0]
    columns, _, _ = usable_rows(SPEC, selected, names, "sequence-classification")
    return read_labels(columns, names)


def read(train: list[object], test: list[object] | None = None, names: tuple[str, ...] | None = None) -> Labels:
    """Return the labels of a train and perhaps a test split of a format with types."""
    tables = {"train": table("train.csv", train)}
    if test is not None:
        tables["test"] = table("test.csv", test)
    return labels_of(tables, names)


def read_csv(train: list[str], test: list[str] | None = None, names: tuple[str, ...] | None = None) -> Labels:
    """Return the labels of splits of a format that has only strings."""
    tables = {"train": table("train.csv", list(train), is_typed=False)}
    if test is not None:
        tables["test"] = table("test.csv", list(test), is_typed=False)
    return labels_of(tables, names)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40))
def test_consecutive_whole_numbers_stay(labels: list[object]) -> None:
    """Class numbers from 0 without gaps are not changed."""
    train = [*labels, 0, 1, 2, 3, 4]
    got = read(train)
    assert got.numbers["train"] == tuple(train)
    assert (got.names, got.notes) == (("0", "1", "2", "3", "4"), ())


@given(st.lists(st.integers() | st.floats(-1e6, 1e6).map(round), min_size=2, unique=True, max_size=30))
def test_other_whole_numbers_take_sorted_order(labels: list[int]) -> None:
    """Any whole numbers become 0 … C-1 in their own order, and the names keep the originals."""
    got = read(list(labels))
    assert [got.names[number] for number in got.numbers["train"]] == [str(label) for label in labels]
    assert list(got.names) == [str(label) for label in sorted(labels)]


def test_whole_floats_are_whole_numbers() -> None:
    """Pandas writes numbers so where some were missing."""
    assert read([1.0, 0.0, 10.0, 2.0]).numbers["train"] == (1, 0, 3, 2)


@pytest.mark.parametrize("labels", [["1", "0", "10", "2"], ["1.0", "0", "10.", "+2"], [" 1", "0 ", "10", "2"]])
def test_digits_of_a_csv_file_are_whole_numbers(labels: list[str]) -> None:
    """Whole numbers in the spelling of csv files or pandas are sorted as numbers: 2 before 10."""
    got = read_csv(labels)
    assert got.numbers["train"] == (1, 0, 3, 2)
    assert got.notes == ("Labels 0, 1, 2, 10 became classes 0 to 3.",)


@pytest.mark.parametrize(
    "labels",
    [
        ["007", "7", "10", "010"],
        ["1.0", "1"],
        ["1.1", "1.2"],
        ["1e3", "2e5"],
        ["0", "1"],
        ["nan", "1"],
        ["NA", "null", "None"],
        ["0.5", "inf", "-2"],
        ["1", "+1"],
        ["True", "False"],
    ],
)
def test_strings_of_a_format_with_types_stay_strings(labels: list[object]) -> None:
    """Each is a class with its own name, whatever number it looks like."""
    got = read(labels * 3)
    assert got.names == tuple(sorted(map(str, labels)))
    assert [got.names[number] for number in got.numbers["train"]] == labels * 3


@pytest.mark.parametrize(
    "labels",
    [["01", "1", "2"], ["1.0", "1"], ["007", "7", "10", "010"], ["+1", "1"], ["1.", "1"], ["-0", "0"], ["1e3", "1000"]],
)
def test_spellings_of_a_csv_file_do_not_fall_together(labels: list[str]) -> None:
    """Two spellings of one number are two classes, and then all labels are strings."""
    assert read_csv(labels).names == tuple(sorted(labels))


def test_codes_of_a_csv_file_keep_their_zeros() -> None:
    """Digits after a 0 make a code, not a number."""
    assert read_csv(["007", "010"]).names == ("007", "010")
    assert read_csv(["02134", "10001"]).names == ("02134", "10001")


def test_spellings_of_two_splits_do_not_fall_together() -> None:
    """A test label in another spelling than train's is unknown, not a guess."""
    with pytest.raises(DataError, match=r"test.csv, row 1: label '1.0' never occurs in train.csv, which has 0, 1"):
        read_csv(["0", "1"], ["1.0"])


def test_digits_beside_strings_of_a_format_with_types() -> None:
    """Splits may have different formats: numbers meet numbers, and strings meet strings."""
    csv_test = table("test.csv", ["1", "0"], is_typed=False)
    assert labels_of({"train": table("train.jsonl", [0, 1]), "test": csv_test}).numbers["test"] == (1, 0)
    got = labels_of({"train": table("train.jsonl", ["0", "1"]), "test": csv_test})
    assert (got.numbers["test"], got.names) == ((1, 0), ("0", "1"))


def test_strings_take_sorted_order() -> None:
    """Strings become classes in sorted order, without the space around them, and a note lists them."""
    got = read(["sad", " glad ", "mad"], ["glad"])
    assert got.numbers == {"train": (2, 0, 1), "test": (0,)}
    assert got.names == ("glad", "mad", "sad")
    assert got.notes == (
        "Labels became class numbers in sorted order: glad, mad, sad.",
        "Labels that differ only in case or in the space around them count as one, such as ' glad ', 'glad'.",
    )


def test_one_word_makes_all_labels_strings() -> None:
    """Digits among words are strings."""
    assert read(["1", "two"]).names == ("1", "two")


def test_strings_match_the_models_names() -> None:
    """Strings that are class names of the model, in any case, get the model's numbers and classes."""
    got = read(["negative", "POSITIVE"], ["POSITIVE"], names=("Negative", "neutral", "Positive"))
    assert got.numbers == {"train": (0, 2), "test": (2,)}
    assert got.names == ("Negative", "neutral", "Positive")
    assert got.notes == ("Labels were matched to the model's own class names.",)


@pytest.mark.parametrize("names", [("LABEL_0", "LABEL_1"), ("yes", "no"), ("a", "A"), ()])
def test_class_names_that_do_not_match_are_ignored(names: tuple[str, ...]) -> None:
    """With generated, other or ambiguous names, labels take sorted order."""
    assert read(["b", "a"], names=names).names == ("a", "b")


def test_whole_numbers_take_the_models_names() -> None:
    """Class numbers keep their values, and get the model's names if there are as many."""
    assert read([0, 1], names=("bad", "good")).names == ("bad", "good")
    assert read([0, 1, 2], names=("bad", "good")).names == ("0", "1", "2")
    assert read([1, 2], names=("bad", "good")).names == ("1", "2")


def test_booleans() -> None:
    """False is class 0 and True class 1."""
    got = read([True, False])
    assert (got.numbers["train"], got.names) == ((1, 0), ("False", "True"))


def test_label_text_names_the_classes() -> None:
    """A column label_text that maps one to one gives the names."""
    tables = {"train": table("a", [1, 0, 1], ["good", "bad", "good"])}
    assert labels_of(tables).names == ("bad", "good")


@pytest.mark.parametrize(
    ("texts", "note"),
    [
        (["good", "bad", "fine"], "does not name every label in one way"),
        (["good", None, "good"], "does not name every label in one way"),
        (["good", "good", "good"], "does not tell the labels apart"),
    ],
)
def test_label_text_that_does_not_fit(texts: list[object], note: str) -> None:
    """A column label_text that does not map one to one is ignored, with a note."""
    got = labels_of({"train": table("a", [1, 0, 1], texts)}, ("bad", "good"))
    assert got.names == ("bad", "good")
    assert note in got.notes[0]


def test_class_names_of_the_format() -> None:
    """Names in a parquet file take precedence; two files with different numbers are refused."""
    first = table("a.parquet", [2, 0], class_names=("x", "y", "z"))
    assert labels_of({"train": first}).names == ("x", "z")
    other = table("b.parquet", [0], class_names=("z", "y", "x"))
    with pytest.raises(DataError, match=r"a.parquet and b.parquet number their classes differently: x, y, z and z, y"):
        labels_of({"train": first, "test": other})


@pytest.mark.parametrize("withheld", [[-1, -1], ["-1", "-1"], [None, None], ["", ""], [-1.0, None], ["-"], [math.nan]])
def test_withheld_labels(withheld: list[object]) -> None:
    """A split whose labels are withheld is called unlabelled."""
    with pytest.raises(DataError, match=r"test.csv is unlabelled: .*leave this split out"):
        read([0, 1], withheld)


def test_splits_with_withheld_labels_of_a_benchmark_are_dropped() -> None:
    """GLUE's test splits come without labels: they are dropped with a note, and training labels never are."""
    tables = {
        "train": table("train", [0, 1]),
        "validation": table("validation", [1, 0]),
        "test": table("test", [-1, -1]),
    }
    spec = DataSpec(source="glue")
    columns, notes = select_columns(spec, tables, drop_unlabelled=True)
    assert list(columns) == ["train", "validation"]
    assert notes == ("The test split is unlabelled and is not used.",)
    withheld = {"train": table("train", [-1, -1])}
    assert list(select_columns(spec, withheld, drop_unlabelled=True)[0]) == ["train"]


def test_minus_one_may_be_a_class() -> None:
    """-1 is a class if there are other labels."""
    assert read([-1, 1, -1], [1, -1]).numbers["test"] == (1, 0)


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ([0, 0.5, 1], r"train.csv, row 2: the label 0.5 is not a whole number.*regression"),
        ([0, float("inf"), 1], r"the label inf is not a whole number"),
        ([0, "one"], r"two kinds: a whole number 0 \(train.csv, row 1\) and a string 'one' \(train.csv, row 2\)"),
        ([0, True], r"two kinds: a whole number 0 .* and true or false True"),
        ([0, [1]], r"row 2: the label is a list"),
        ([0, {"a": 1}], r"row 2: the label is an object"),
        ([0, b"x"], r"row 2: the label is of type bytes"),
        ([0, {1}], r"row 2: the label is of type set"),
        ([1, 1, 1], r"every label in column 'label' is 1\. Add examples of another class"),
        ([" 1", "1"], r"every label in column 'label' is '1'\. Add examples of another class"),
        (["a", "\ud800"], r"row 2: the label holds half of a surrogate pair"),
        (["x" * 201, "y"], r"the label has 201 characters, more than 200\. Set --freeze-label-column"),
    ],
)
def test_unusable_labels(labels: list[object], fault: str) -> None:
    """The message gives the fault and its row."""
    with pytest.raises(DataError, match=fault):
        read(labels)


@pytest.mark.parametrize(
    "labels", [["0.5", "1.5"], ["0", "1", "0.5"], ["1.10", "1.1", "2"], ["1e-3", "1"], [".5", "1"]]
)
def test_fractions_of_a_csv_file_are_no_classes(labels: list[str]) -> None:
    """They are the targets of a regression, in whatever spelling."""
    with pytest.raises(DataError, match=r"is not a whole number, and classes are"):
        read_csv(labels)


def test_a_label_that_the_format_does_not_name() -> None:
    """Names are not given up silently."""
    named = table("a.parquet", [0, 1, 3], class_names=("x", "y", "z"))
    with pytest.raises(DataError, match=r"a.parquet, row 3: label 3 has no name: the file names x, y, z as 0 to 2\."):
        labels_of({"train": named})


def test_a_label_that_train_does_not_have() -> None:
    """A class that occurs in test alone is an error with its row and count."""
    with pytest.raises(
        DataError, match=r"test.csv, row 2: label 5 never occurs in train.csv, which has 0, 1; 2 of 4 labels"
    ):
        read([0, 1], [0, 5, 1, 6])


def test_many_labels_are_cut_in_messages() -> None:
    """A message lists the first labels and counts the rest."""
    with pytest.raises(DataError, match=r"0, 1, 2, 3, 4, 5, 6, 7 and 92 more; 1 of 1 labels"):
        read(list(range(100)), [100])


anything: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just([])
)


@given(st.lists(anything, min_size=1, max_size=8), st.lists(anything, min_size=1, max_size=8))
def test_any_labels_give_numbers_or_a_data_error(train: list[object], test: list[object]) -> None:
    """Any values give class numbers within range, or a DataError on one line."""
    try:
        got = read(train, test)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either ending is right
    else:
        assert set(got.numbers["train"]) == set(range(len(got.names)))
        assert set(got.numbers["test"]) <= set(got.numbers["train"])
