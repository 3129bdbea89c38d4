"""Headers of delimited text: separators, columns without a name, and line ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezebench.data.delimited import read_delimited
from freezebench.data.header import read_header
from freezebench.data.load import load_data
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

REQUESTED = ("text", "label")


def write(tmp_path: Path, content: str, name: str = "a.csv") -> Path:
    """Write a file."""
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", ["", "\n", "\ufeff", "SEP"])
def test_separators_are_recognised(tmp_path: Path, name: str, separator: str, start: str) -> None:
    """The separator is the one that gives the requested columns, or the one that Excel's first line states."""
    first = f"sep={separator}\r\n" if start == "SEP" else start
    content = f"{first}id{separator}text{separator}label\n1{separator}so, so; a|b{separator}x\n"
    content = content.replace("so, so; a|b", f'"so{separator} so"')
    table = read_delimited(write(tmp_path, content, name), REQUESTED, "label")
    assert (table.columns["text"], table.columns["label"]) == ([f"so{separator} so"], ["x"])
    assert table.location(0).endswith(f"line {3 if start in ('SEP', chr(10)) else 2}")


@pytest.mark.parametrize("header", ["text;label", "text;note, more;label", '"text";"label"', "text ; label"])
def test_commas_in_a_header_do_not_mislead(tmp_path: Path, header: str) -> None:
    """Quotes and the space around names do not matter either."""
    assert read_header(write(tmp_path, f"{header}\n"), REQUESTED).delimiter == ";"


def test_a_missing_column_is_reported_with_the_right_names(tmp_path: Path) -> None:
    """The separator that gives several columns is taken if none gives the requested ones."""
    path = write(tmp_path, "review;stars\nfine;1\n")
    with pytest.raises(DataError, match=r"has no column 'text': it has 'review', 'stars'\. Set --freeze-text-column"):
        load_data(DataSpec(source=str(path)))


@pytest.mark.parametrize("row", ["ham,dull film,,,", "ham,dull film", "ham,dull film,", "ham,dull film,,,,,"])
@pytest.mark.parametrize("header", ["v1,v2,,,", "v1,v2", "v1,v2,", 'v1,v2,"",'])
def test_columns_without_a_name(tmp_path: Path, header: str, row: str) -> None:
    """Separators at the end of header or rows are as good as none."""
    path = write(tmp_path, f"{header}\n{row}\n,,,\nspam,bright film\n")
    table = read_delimited(path, ("v2", "v1"), "v1")
    assert (table.available, table.notes, table.bad_rows) == (("v1", "v2"), (), None)
    assert table.columns == {"v2": ["dull film", "bright film"], "v1": ["ham", "spam"]}


def test_values_without_a_column_name_are_counted(tmp_path: Path) -> None:
    """They are not read, which a note says; beyond the header's separators they are a fault."""
    path = write(tmp_path, "v1,v2,,\nham,dull film, and more,\nspam,bright film,,\nham,a,b,c,d\n")
    table = read_delimited(path, ("v2", "v1"), "v1")
    assert table.notes == (f"Columns without a name: 1 rows of {path} have values in them, which are not read.",)
    assert table.bad_rows is not None
    assert [row.position for row in table.bad_rows.first] == [4]


def test_an_index_column_has_no_name(tmp_path: Path) -> None:
    """Pandas writes its index so."""
    table = read_delimited(write(tmp_path, ",text,label\n0,fine,1\n"), REQUESTED, "label")
    assert (table.columns["text"], table.notes) == (["fine"], ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\rfine,1\rdull,0\r", "a.csv ends its lines with carriage returns alone, as old Macs did. Save it"),
        ('"text,label\nfine,1\n', "a.csv: the column names cannot be read (unexpected end of data). Check the quotes"),
        ("text,label,text\na,1,b\n", "a.csv has two columns named 'text'. Rename one of them."),
        ("text,label\n", "a.csv has no rows. Put at least one example in it, or leave it out."),
        ("text,label\n,\n\n", "a.csv has no rows."),
        ("\n\n", "a.csv has no rows."),
        (",,\nfine,1,\n", "a.csv has "),
    ],
)
def test_headers_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    """Each fault has its own sentence."""
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(source=str(write(tmp_path, content))))
    assert message in str(caught.value)
