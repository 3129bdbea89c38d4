"""Delimited text: quotes, separators and headers as people have them, and no row that disappears."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import pytest

from freezebench.data import csv_lines
from freezebench.data.delimited import read_delimited
from freezebench.data.load import TextData, load_data
from freezebench.data.table import Table
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

WORDS = ("dull film", "bright film", "cold and empty", "warm and clever", "a chore to watch", "a joy to watch")


def lines(pattern: str, num: int = 60) -> list[str]:
    """Return rows of alternating labels; ``pattern`` says how id, text and label are written."""
    return [
        pattern.format(id=number, text=f"{WORDS[number % 6]} number {number}", label=number % 2)
        for number in range(num)
    ]


def write(path: Path, header: str, rows: list[str], end: str = "\n") -> Path:
    """Write a file with a header."""
    path.write_bytes(end.join([header, *rows, ""]).encode())
    return path


def read(path: Path) -> Table:
    """Return the table of a file with columns text and label."""
    return read_delimited(path, ("text", "label"), "label")


def load(path: Path, **changes: object) -> TextData:
    """Return the data set of one file."""
    return load_data(DataSpec(source=str(path), **changes))  # type: ignore[arg-type]


def num_examples(data: TextData) -> int:
    """Return the number of all examples."""
    return sum(data.num_examples.values())


PATTERNS = {"label,text": "{label},{text}", "text,label": "{text},{label}", "id,text,label": "{id},{text},{label}"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", PATTERNS)
def test_a_quote_that_takes_rows_is_refused_with_its_line(
    tmp_path: Path, header: str, separator: str, end: str
) -> None:
    """Row 4 opens a quote that row 10 closes: 60 rows never become 54."""
    rows = lines(PATTERNS[header])
    for row, (old, new) in {3: ("warm", '"warm'), 9: (f" number {9}", ' number 9"')}.items():
        assert old in rows[row]
        rows[row] = rows[row].replace(old, new)
    path = write(
        tmp_path / "reviews.csv", header.replace(",", separator), [row.replace(",", separator) for row in rows], end
    )
    if separator == "\t":  # then quotes are text
        assert num_examples(load(path)) == 60
        assert read(path).columns["text"][3] == '"warm and clever number 3'
        return
    with pytest.raises(DataError, match=r"reviews.csv, line 5: the quote that opens a value here closes on line 11, a"):
        load(path)
    data = load(path, bad_rows="drop")
    assert num_examples(data) == 59
    assert data.facts.dropped_rows == {"train": {"unreadable": 1}}
    assert data.notes[0].startswith(f"Bad rows: 1 of 60 rows of {path} were left out (--freeze-bad-rows=drop): 1 not ")


@pytest.mark.parametrize(("label", "column"), [("{number}.25", "label"), ("{parity},{parity}", "sad,long")])
def test_a_quote_that_takes_rows_of_other_tasks(tmp_path: Path, label: str, column: str) -> None:
    """Numbers of regression differ from row to row; of several label columns, the first one is looked at."""
    rows = [f"text {number}," + label.format(number=number, parity=number % 2) for number in range(60)]
    rows[3], rows[9] = f'"{rows[3]}', rows[9].replace(",", '",', 1)
    path = write(tmp_path / "train.csv", f"text,{column}", rows)
    with pytest.raises(DataError, match="line 5: the quote that opens a value here closes on line 11, a later row"):
        load(path, label_column=column)
    assert num_examples(load(path, label_column=column, bad_rows="drop")) == 59


@pytest.mark.parametrize("header", PATTERNS)
def test_a_quote_that_is_never_closed(tmp_path: Path, header: str) -> None:
    """The line where it opens is named, and the rows after it can be kept."""
    rows = lines(PATTERNS[header])
    rows[3] = rows[3].replace("warm", '"warm')
    path = write(tmp_path / "reviews.csv", header, rows)
    with pytest.raises(
        DataError, match=r"line 5: the quote that opens a value here is never closed; double every quote"
    ):
        load(path)
    assert num_examples(load(path, bad_rows="drop")) == 59


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({4: '1,"x', 5: '0,y"'}, 6),
        ({4: '1,"x', 10: '0,y",'}, 11),
        ({4: '1,"x', 6: "2,the only row of its class", 10: '0,y"'}, 11),
        ({4: '1,"x', 6: "a line, with, commas", 10: '0,y"'}, 11),
        ({4: '1,"x', 6: "", 10: '0,y"'}, 11),
        ({4: '1,"x', 6: '0,say ""yes""', 10: '0,y"'}, 11),
        ({4: '1,"""x', 10: '0,y"'}, 11),
        ({4: '1,"x', 7: '0,"a, b"'}, 8),
        ({4: '"1,x', 10: '0",y'}, 11),
    ],
)
def test_other_quotes_that_take_rows(tmp_path: Path, changes: dict[int, str], line: int) -> None:
    """Rows that are damaged in other ways, or hold quotes of their own, do not hide it."""
    rows = [changes.get(number, row) for number, row in enumerate(lines("{label},{text}"), start=1)]
    path = write(tmp_path / "reviews.csv", "label,text", rows)
    with pytest.raises(DataError, match=f"line 5: the quote that opens a value here closes on line {line},"):
        load(path)
    data = load(path, bad_rows="drop")
    assert num_examples(data) >= 57
    assert not any('"' in name for name in data.label_names)


def test_a_quote_that_takes_all_rows(tmp_path: Path) -> None:
    """Where no other row is left to compare labels with, labels that repeat are enough."""
    rows = lines("{label},{text}")
    rows[0], rows[-1] = rows[0].replace("dull", '"dull'), f'{rows[-1]}"'
    with pytest.raises(DataError, match=r"line 2: the quote that opens a value here closes on line 61"):
        load(write(tmp_path / "reviews.csv", "label,text", rows))


def test_several_stray_quotes_are_all_listed(tmp_path: Path) -> None:
    """After the first one, reading goes on in the next line; ten are listed, the others counted."""
    rows = lines("{label},{text}", 90)
    for row in range(0, 72, 6):
        rows[row] = rows[row].replace("dull", '"dull')
    path = write(tmp_path / "reviews.csv", "label,text", rows)
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert message.count(": ") == 11
    assert "line 2: the quote that opens a value here closes on line 8, before more text; " in message
    assert all(f"line {row + 2}: " in message for row in range(0, 60, 6))
    assert "; and 2 more. 12 of 90 rows cannot be used" in message
    assert num_examples(load(path, bad_rows="drop")) == 78


@pytest.mark.parametrize("header", ["label,text", "text,label"])
@pytest.mark.parametrize(
    "text",
    [
        "two\nlines",
        "one, two\nthree, four",
        "verse\r\nverse\r\n",
        'say "yes"\nor, "no"',
        "1\n0\n1",
        "\n\n",
        "a\n1,b,c\nd",
    ],
)
def test_values_of_several_lines_stay(tmp_path: Path, header: str, text: str) -> None:
    """What the csv module writes is read unchanged, whatever commas and digits its lines hold."""
    names = header.split(",")
    file = io.StringIO()
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows({"text": f"film {number}", "label": number % 2} for number in range(20))
    writer.writerow({"text": f"x{text}", "label": 1})
    path = tmp_path / "reviews.csv"
    path.write_bytes(file.getvalue().encode())
    table = read(path)
    assert table.bad_rows is None
    assert (table.num_rows, table.columns["text"][-1]) == (21, f"x{text}")


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".TSV"])
def test_unquoted_tabs_keep_quotes(tmp_path: Path, suffix: str) -> None:
    """A sentence may begin with a quotation mark, end with one, or hold one."""
    rows = lines("{text}\t{label}")
    rows[5], rows[9], rows[12] = f'"{rows[5]}', rows[9].replace("\t", '"\t'), rows[12].replace("film", '"film" of')
    table = read(write(tmp_path / f"a{suffix}", "text\tlabel", rows))
    assert (table.num_rows, table.bad_rows) == (60, None)
    assert [table.columns["text"][row] for row in (5, 12)] == ['"a joy to watch number 5', 'dull "film" of number 12']
    assert table.columns["text"][9] == 'warm and clever number 9"'


def test_quotes_around_some_sentences_are_text(tmp_path: Path) -> None:
    """No program puts quotes around some values that need none; where all have them, they are the format's."""
    rows = lines("{text}\t{label}")
    rows[5] = '"a joy to watch number 5"\t1'
    table = read(write(tmp_path / "some.tsv", "text\tlabel", rows))
    assert table.columns["text"][4:6] == ["a chore to watch number 4", '"a joy to watch number 5"']
    table = read(write(tmp_path / "all.tsv", '"text"\t"label"', lines('"{text}"\t"{label}"')))
    assert (table.columns["text"][5], table.columns["label"][5]) == ("a joy to watch number 5", "1")
    # Excel puts them around values that hold a comma.
    rows[5] = '"a joy, to watch"\t1'
    assert read(write(tmp_path / "excel.tsv", "text\tlabel", rows)).columns["text"][5] == "a joy, to watch"


def test_quoted_tabs_are_still_read(tmp_path: Path) -> None:
    """What the csv module writes with tabs is unquoted; one quote that takes a row is named by its line."""
    good = ["text\tlabel", '"say ""yes"""\t1', '"two\nlines"\t0', "plain\t1"]
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(good))
    assert read(path).columns["text"] == ['say "yes"', "two\nlines", "plain"]
    # Without quoting, more rows would be bad than with it.
    path.write_text("\n".join([*good, '"open\t1', 'closed"\t0', '"more\nlines\nhere"\t1']))
    table = read(path)
    assert table.bad_rows is not None
    assert [(row.position, row.fault[:43]) for row in table.bad_rows.first] == [
        (6, "the quote that opens a value here closes on")
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("a,b,0", "3 values under 2 column names; put quotes around a value that holds the separator"),
        (' "a, b",0', "3 values under 2 column names; remove the blank before a quote that opens a value"),
        ("alone", "1 values under 2 column names"),
        ('"a"b,1', "text follows a quote that closes a value; double every quote"),
        ('"a \\"b\\" c",1', "text follows a quote that closes a value"),
    ],
)
def test_rows_of_another_shape(tmp_path: Path, content: str, fault: str) -> None:
    """Each is a bad row with its line; the others are read."""
    path = write(tmp_path / "a.csv", "text,label", ["first,1", content, "last,0"])
    table = read(path)
    assert table.bad_rows is not None
    assert [(row.position, row.kind) for row in table.bad_rows.first] == [(3, "unreadable")]
    assert table.bad_rows.first[0].fault.startswith(fault)
    assert table.columns["text"] == ["first", "last"]


def test_long_values(tmp_path: Path) -> None:
    """A value may be as long as in JSON Lines, and the limit of the csv module stays what it was."""
    before = csv.field_size_limit()
    table = read(write(tmp_path / "a.csv", "text,label", ["x" * 900_000 + ",1", f'"{"y" * 200_000}\n",0']))
    assert [len(str(text)) for text in table.columns["text"]] == [900_000, 200_001]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n"])
def test_carriage_returns_inside_values(tmp_path: Path, end: str) -> None:
    """They are kept, quoted or not, and end no row."""
    table = read(write(tmp_path / "a.csv", "text,label", ["one\rtwo,1", '"three\rfour",0', "\rfive,1"], end))
    assert table.columns["text"] == ["one\rtwo", "three\rfour", "\rfive"]
    assert table.columns["label"] == ["1", "0", "1"]
    assert table.positions == [2, 3, 4]


@pytest.mark.parametrize(
    "content", ["a\\b,1", "a'b,1", "' quoted ',1", "\u2028x,1", "\ufeffx,1", "=1+1,1", "x\x0bx,1", "x\x1cy,1"]
)
def test_other_characters_are_text(tmp_path: Path, content: str) -> None:
    """Only separators, double quotes and line feeds have a meaning."""
    assert read(write(tmp_path / "a.csv", "text,label", [content])).columns["text"] == [content[:-2]]


def test_a_file_made_to_take_long(tmp_path: Path) -> None:
    """Every line of it opens a quote that no line closes for good; the work is bounded."""
    path = write(tmp_path / "a.csv", "text,label", ['x",""" y'] * 20_000)
    started = time.perf_counter()
    assert len(read(path).bad_rows or ()) > 0
    assert time.perf_counter() - started < 20


def test_lines_are_given_back_a_bounded_number_of_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit, a damaged row ends where the csv module ends it."""
    path = write(tmp_path / "a.csv", "text,label", ['x",""" y'] * 50)
    num_bad = len(read(path).bad_rows or ())
    monkeypatch.setattr(csv_lines, "_MAX_GIVEN_BACK", 100)
    assert 0 < len(read(path).bad_rows or ()) < num_bad
