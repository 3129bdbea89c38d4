"""Read CoNLL files: a word and its tags per line, and a blank line between sentences.

The first column has the words and the last one the tags; columns are also called by their numbers, 1, 2, and so on::

    -DOCSTART- -X- -X- O

    EU     NNP  B-NP  B-ORG        --freeze-label-column=2: the second column
    rejects VBZ B-VP  O

Values are separated by tabs if the first row has one, else by blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freezebench.data.bad_rows import BadRows
from freezebench.data.lines import text_lines
from freezebench.data.table import Table
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

WORDS_COLUMN, TAGS_COLUMN = "tokens", "tags"
_MAX_CHARS = 200_000_000
_MIN_COLUMNS, _MAX_COLUMNS = 2, 100
_NEW_DOCUMENT = "-DOCSTART-"
_BLANKS = re.compile(r"[ \t]+")
# Comments such as "# sent_id = 3" or "# id 3f2a", also where they have as many values as a row.
_COMMENT = re.compile(r"#\s*\S+\s*=|#\s+id\s")


@dataclass
class _Sentence:
    """The rows of a sentence.

    Attributes:
        start: Number of its first line.
        rows: Line number and values of every row.
        doubtful: Index of rows that may be comments: lines before the first word that begin with a number sign.
    """

    start: int
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    doubtful: set[int] = field(default_factory=set)


def read_conll(path: Path, requested: Collection[str]) -> Table:
    """Return a table with a list of words, and lists of values of other requested columns, for every sentence.

    Raises:
        DataError: If the file is too large, or has another layout.
    """
    sentences = list(_sentences(path))
    first = next((row for sentence in sentences for row in _certain(sentence)), None)
    width = len(first[1]) if first is not None else _MIN_COLUMNS
    if first is not None and not _MIN_COLUMNS <= width <= _MAX_COLUMNS:
        raise DataError(
            f"{path}, line {first[0]}: a row of a CoNLL file has a word and its tags, with a tab or blanks between, "
            f"and this one has {width} values. Write one word and its tag per line."
        )
    tags = {cells[-1] for sentence in sentences for _, cells in _certain(sentence) if len(cells) == width}
    indices = {WORDS_COLUMN: 0, TAGS_COLUMN: width - 1, **{str(index + 1): index for index in range(width)}}
    columns: dict[str, list[object]] = {name: [] for name in requested if name in indices}
    positions: list[int] = []
    bad_rows = BadRows(name=str(path))
    for sentence in sentences:
        rows = _rows(sentence, width, tags)
        odd = next(((line, cells) for line, cells in rows if len(cells) != width), None)
        if odd is not None:
            bad_rows.add_line(sentence.start, f"line {odd[0]} has {len(odd[1])} values, and the first row {width}")
        elif rows:
            for name, values in columns.items():
                values.append([cells[indices[name]] for _, cells in rows])
            positions.append(sentence.start)
    if WORDS_COLUMN in columns and width > _MIN_COLUMNS and _are_counted(columns[WORDS_COLUMN]):
        raise DataError(
            f"{path}: the first column counts the words of a sentence, as in CoNLL-U. Name the columns of words and "
            f"tags by their numbers: --freeze-text-column=2 --freeze-label-column={width}."
        )
    if len(bad_rows) > len(positions):
        raise DataError(
            f"{path} is no CoNLL file: most of its sentences have lines of other numbers of values than the first row. "
            "Write one word and its tag per line, and a blank line between sentences."
        )
    return Table(
        name=str(path),
        columns=columns,
        available=tuple(indices) if positions else (),
        num_rows=len(positions),
        positions=positions,
        unit="line",
        is_typed=False,
        is_by_word=True,
        bad_rows=bad_rows if len(bad_rows) else None,
    )


def _are_counted(sentences: Sequence[object]) -> bool:
    """Return whether the words of every sentence are the numbers from 1 on, besides others such as ``1-2``."""
    for words in sentences:
        numbers = [word for word in words if word.isdecimal()] if isinstance(words, list) else []
        if not numbers or numbers != [str(number) for number in range(1, len(numbers) + 1)]:
            return False
    return bool(sentences)


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file without their ends.

    Raises:
        DataError: If it is too large.
    """
    num_chars = 0
    for line in text_lines(path):
        num_chars += len(line)
        if num_chars > _MAX_CHARS:
            raise DataError(f"{path} has more than {_MAX_CHARS:,} characters. Split it, or write .parquet files.")
        yield line.rstrip("\r\n")


def _sentences(path: Path) -> Iterator[_Sentence]:
    """Yield the sentences of a file."""
    sentence: _Sentence | None = None
    separator: str | None = None
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            if sentence is not None:
                yield sentence
            sentence = None
            continue
        if line.startswith(_NEW_DOCUMENT):
            continue
        is_doubtful = line.startswith("#") and (sentence is None or len(sentence.rows) == len(sentence.doubtful))
        if is_doubtful and _COMMENT.match(line):
            continue
        if separator is None and not is_doubtful:
            separator = "\t" if "\t" in line else " "
        if sentence is None:
            sentence = _Sentence(start=number)
        if is_doubtful:
            sentence.doubtful.add(len(sentence.rows))
        cells = line.split("\t") if separator == "\t" else _BLANKS.split(line.strip(" "))
        sentence.rows.append((number, [cell.strip() for cell in cells]))
    if sentence is not None:
        yield sentence


def _certain(sentence: _Sentence) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are no comments."""
    yield from (row for index, row in enumerate(sentence.rows) if index not in sentence.doubtful)


def _rows(sentence: _Sentence, width: int, tags: Collection[str]) -> list[tuple[int, list[str]]]:
    """Return the rows without comments.

    A line that may be a comment is a row if it has as many values and begins with a word such as ``#Paris``, or with a
    number sign alone and has a tag that other rows have.
    """
    return [
        (line, cells)
        for index, (line, cells) in enumerate(sentence.rows)
        if index not in sentence.doubtful or (len(cells) == width and (cells[0] != "#" or cells[-1] in tags))
    ]
