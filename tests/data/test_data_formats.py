"""Formats: strict reading of each, and one message for every fault of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freezebench.data.formats import SUFFIXES, read_table
from freezebench.data.load import load_data
from freezebench.data.table import Table
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

REQUESTED = ("text", "label")


def read(path: Path, content: str | bytes) -> Table:
    """Write a file and read it back."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, REQUESTED)


def rows(table: Table) -> list[tuple[object, ...]]:
    """Return the requested columns row by row."""
    return list(zip(*(table.columns[name] for name in REQUESTED), strict=True))


def fault(path: Path, content: str | bytes) -> str:
    """Return the error that a file gives as a data set."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(source=str(path)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


TRICKY = ["NA", "null", "", "123", "1e5", "2020-01-01", "True", "nan", " a ", 'say "x", y', "tab\there", "é\u2028ü🙂"]


def test_csv_never_guesses(tmp_path: Path) -> None:
    """Every value of a csv file is read as a string, unchanged."""
    lines = ["text,label", *('"' + text.replace('"', '""') + '",x' for text in TRICKY)]
    table = read(tmp_path / "a.csv", "\n".join(lines))
    assert [row[0] for row in rows(table)] == TRICKY


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_other_formats_never_guess(tmp_path: Path, suffix: str) -> None:
    """Strings such as numbers, dates or NA stay strings in the other formats, too."""
    path = tmp_path / f"a{suffix}"
    objects = [{"text": text, "label": "x"} for text in TRICKY]
    if suffix == ".parquet":
        from datasets import Dataset

        Dataset.from_list(objects).to_parquet(path)
        content = path.read_bytes()
    elif suffix == ".json":
        content = json.dumps(objects, ensure_ascii=False, indent=1).encode()
    else:
        content = "\n".join(json.dumps(value, ensure_ascii=False) for value in objects).encode()
    assert [row[0] for row in rows(read(path, content))] == TRICKY


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.csv", ["text,label", "né,1", '"a,b",0']),
        ("a.TSV", ["text\tlabel", "né\t1", "a,b\t0"]),
        ("a.jsonl", ['{"text": "né", "label": "1"}', '{"text": "a,b", "label": "0"}']),
        ("a.json", ['[{"text": "né", "label": "1"},', '{"text": "a,b", "label": "0"}]']),
    ],
)
def test_byte_order_marks_line_ends_and_blank_lines(
    tmp_path: Path, bom: bytes, end: str, name: str, lines: list[str]
) -> None:
    """A mark at the start, either line end, and blank lines at the end change nothing."""
    for tail in ("", end, end * 3):
        table = read(tmp_path / name, bom + (end.join(lines) + tail).encode())
        assert rows(table) == [("né", "1"), ("a,b", "0")]
        assert table.available == REQUESTED


def test_rows_have_the_line_where_they_start(tmp_path: Path) -> None:
    """Blank lines and line breaks inside quotes are counted."""
    table = read(tmp_path / "a.csv", 'text,label\n\n"two\nlines",1\nnext,0\n')
    assert [table.location(row) for row in range(2)] == [f"{tmp_path}/a.csv, line 3", f"{tmp_path}/a.csv, line 5"]
    table = read(tmp_path / "a.jsonl", '\n{"text": "x", "label": 1}\n')
    assert table.location(0) == f"{tmp_path}/a.jsonl, line 2"


def test_json_layouts(tmp_path: Path) -> None:
    """A .json file may hold a list of objects, an object of columns, or one object per line."""
    expected: list[tuple[object, ...]] = [("a", 1), ("b", 0)]
    objects = [{"text": text, "label": label} for text, label in expected]
    for content in (
        json.dumps(objects),
        json.dumps({"text": ["a", "b"], "label": [1, 0]}),
        "\n".join(map(json.dumps, objects)),
    ):
        assert rows(read(tmp_path / "a.json", content)) == expected


def test_keys_may_differ_between_lines(tmp_path: Path) -> None:
    """A key that a line lacks is null there; only requested columns are kept."""
    table = read(tmp_path / "a.jsonl", '{"text": "a", "id": 1}\n{"text": "b", "label": 0}\n')
    assert rows(table) == [("a", None), ("b", 0)]
    assert table.available == ("text", "id", "label")
    assert set(table.columns) == {"text", "label"}


def test_parquet_carries_class_names(tmp_path: Path) -> None:
    """A parquet file that `datasets` wrote has class names in its metadata."""
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["ham", "spam"])})
    path = tmp_path / "train.parquet"
    Dataset.from_dict({"text": [f"t{i}" for i in range(20)], "label": [0, 1] * 10}, features=features).to_parquet(path)
    assert read_table(path, REQUESTED).class_names == {"label": ("ham", "spam")}
    assert load_data(DataSpec(source=str(tmp_path))).label_names == ("ham", "spam")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_file(tmp_path: Path, suffix: str) -> None:
    """An empty file of any format is an error."""
    (tmp_path / f"train{suffix}").write_bytes(b"")
    with pytest.raises(DataError, match=r"has no rows|as parquet"):
        load_data(DataSpec(source=str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"text,label\ncaf\xe9,1\n", "a.csv, line 2: byte 14 (0xe9) is not UTF-8"),
        ("a.jsonl", b'\xef\xbb\xbf{"a": 1}\n\xff', "a.jsonl, line 2: byte 12 (0xff) is not UTF-8"),
        ("a.csv", "text,label\n".encode("utf-16"), "byte 0 starts a UTF-16 file. Save the file as UTF-8"),
        ("a.csv", "text,label\n".encode("utf-16-le"), "line 1: byte 1 is NUL, so this is not a text file"),
        ("a.jsonl", b'{"text": "a\0b", "label": 1}', "line 1: byte 11 is NUL"),
        ("a.jsonl", b"\n<!DOCTYPE html><html>", "a.jsonl is a web page, not data"),
        ("a.csv", b"<html><body>Not found</body></html>", "a.csv is a web page, not data"),
        (
            "a.jsonl",
            b'{"text": "a", "label": 1}\n{"text": oops}\n',
            "a.jsonl, line 2: it is not JSON (Expecting value at character 10). Correct or remove the row",
        ),
        ("a.jsonl", b'{"text": "a", "label": 1}\n\n["a", 1]\n', "a.jsonl, line 3: it is not a JSON object such as"),
        ("a.jsonl", b'{"text": "a", "text": "b"}', "line 1: it is not usable JSON (the key 'text' occurs twice)"),
        ("a.jsonl", b'{"text": ' + b"[" * 200_000, "line 1: it is not usable JSON ("),
        ("a.jsonl", b'{"label": ' + b"9" * 5000 + b"}", "line 1: it is not usable JSON (Exceeds the limit"),
        ("a.json", b'{"text": ["a", "b"], "label": [1]}', "differ in length"),
        ("a.json", b"[1, 2]", "a.json, row 1: it is not a JSON object such as"),
        ("a.json", b'{"text": "a"', "a.json: it is not JSON ("),
        ("a.csv", b"text,label,text\na,1,b\n", "two columns named 'text'"),
        ("a.csv", b"text,label\na,1\nb,c,0\n", "line 3: 3 values under 2 column names"),
        (
            "a.csv",
            b'text,label\na,1\n"never closed,0\nx,1\n',
            "line 3: the quote that opens a value here is never closed",
        ),
        ("a.csv", b'text,label\n"a"b,1\n', "line 2: text follows a quote that closes a value; double every quote"),
        (
            "a.csv",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "a.csv is a pointer of Git LFS, not data",
        ),
        ("a.csv", b"# a comment\ntext,label\na,1\n", "a.csv has no column 'text': it has '# a comment'"),
        ("a.csv", b'"my, text",label\na,1\n', "Put double quotes around a name with a comma: --freeze-text-column"),
        ("a.parquet", b"PAR1 nothing at all", "a.parquet as parquet"),
        ("a.parquet", b"text,label\na,1\n", "a.parquet as parquet"),
    ],
)
def test_broken_content(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    """The message gives the fault and its location."""
    assert expected in fault(tmp_path / name, content)


def test_a_line_without_end(tmp_path: Path) -> None:
    """A line beyond 16 MiB is refused before it fills the memory."""
    assert "line 2 is longer than 16 MiB" in fault(tmp_path / "a.jsonl", b"{}\n" + b"x" * (16 * 2**20 + 1))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(SUFFIXES),
    content=st.binary(max_size=200)
    | st.text(st.sampled_from('{}[]",:\n\r\t 01-.eEtextlabel\\u'), max_size=80).map(str.encode),
)
def test_any_content_gives_a_table_or_a_data_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    """Any bytes give a table of equally long columns, or a DataError on one line."""
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(content)
    try:
        table = read_table(path, REQUESTED)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either ending is right
    else:
        assert {len(values) for values in table.columns.values()} <= {table.num_rows}


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=12)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_csv_and_jsonl_round_trip(tmp_path: Path, pairs: list[tuple[str, str]]) -> None:
    """Texts that Python writes as csv and as JSON Lines are read unchanged."""
    import csv

    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([REQUESTED, *pairs])
    # A row without any value is as good as a blank line.
    assert rows(read_table(tmp_path / "a.csv", REQUESTED)) == [pair for pair in pairs if any(pair)]
    lines = [json.dumps(dict(zip(REQUESTED, pair, strict=True)), ensure_ascii=False) for pair in pairs]
    assert rows(read(tmp_path / "a.jsonl", "\n".join(lines))) == pairs
