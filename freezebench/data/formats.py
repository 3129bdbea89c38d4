"""Reads one local file of examples strictly: what stands in it is what comes out, or an error names the line.

The readers that `datasets` packages guess types (``NA`` becomes null, ``123`` a number, ``2020-01-01`` a timestamp) and
leave a cache behind; here a text stays the text that it is.
"""

from __future__ import annotations

import csv
import json
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from freezebench.data.table import Table, short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

_MAX_LINE_BYTES = 16 * 2**20
_MAX_JSON_BYTES = 512 * 2**20

_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_WEB_PAGE = ("<!doctype html", "<html")


def read_table(path: Path, wanted: Collection[str]) -> Table:
    """Return the wanted columns of a file.

    Args:
        path: A file whose name ends in one of ``SUFFIXES``.
        wanted: Names of columns; those that do not exist are left out.

    Raises:
        DataError: If the file cannot be read, or is not what its name says.
    """
    return _READERS[path.suffix.lower()](path, wanted)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file; whatever the system refuses becomes a DataError."""
    try:
        # A pipe would block for ever, a folder gives a confusing error.
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} is a folder or a device, not a file. Give a regular file.")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}. Check the path and its permissions."
        ) from error


def _text_lines(path: Path, max_line_bytes: int = _MAX_LINE_BYTES) -> Iterator[str]:
    """Yield the lines of a UTF-8 file with their ends, without a byte order mark.

    Raises:
        DataError: If the file is not UTF-8, binary, a web page, or holds a line that is too long.
    """
    offset = 0
    blank = True
    with _opened(path) as file:
        number = 0
        while raw := file.readline(max_line_bytes + 1):
            number += 1
            where = f"{path}, line {number}"
            if len(raw) > max_line_bytes:
                raise DataError(
                    f"{where} is longer than {max_line_bytes // 2**20} MiB. Split it: one example is one line."
                )
            line = _decoded(raw, where, offset)
            offset += len(raw)
            if blank and line.strip():
                blank = False
                if line.lstrip().lower().startswith(_WEB_PAGE):
                    raise DataError(f"{path} is a web page, not data. Download the file itself.")
            yield line


def _decoded(raw: bytes, where: str, offset: int) -> str:
    """Return a line as text; ``offset`` is the number of bytes before it.

    Raises:
        DataError: If it is not UTF-8, or holds NUL bytes.
    """
    if offset == 0:
        if raw[:2] in _OTHER_BOMS:
            raise DataError(f"{where}: byte 0 starts a {_OTHER_BOMS[raw[:2]]} file. Save the file as UTF-8.")
        if raw.startswith(_BOM):
            raw, offset = raw[len(_BOM) :], len(_BOM)
    if (position := raw.find(b"\0")) >= 0:
        raise DataError(f"{where}: byte {offset + position} is NUL, so this is not a text file. Save it as UTF-8 text.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte {offset + error.start} (0x{raw[error.start]:02x})"
        raise DataError(f"{where}: {byte} is not UTF-8. Save the file as UTF-8.") from error


class _Rows:
    """Collects the wanted columns of rows that come as dictionaries."""

    def __init__(self, name: str, wanted: Collection[str]) -> None:
        self._name = name
        self._columns: dict[str, list[Any]] = {column: [] for column in wanted}
        self._available: dict[str, None] = {}
        self._lines: list[int] = []
        self._num_rows = 0

    def add(self, row: dict[str, Any], line: int | None = None) -> None:
        """Add a row; a key that it lacks counts as null."""
        for key in row:
            self._available.setdefault(key)
        for column, values in self._columns.items():
            values.append(row.get(column))
        self._num_rows += 1
        if line is not None:
            self._lines.append(line)

    def table(self, header: Iterable[str] = ()) -> Table:
        """Return what was added."""
        available = tuple(dict.fromkeys([*header, *self._available]))
        return Table(
            name=self._name,
            columns={name: values for name, values in self._columns.items() if name in available},
            available=available,
            num_rows=self._num_rows,
            lines=self._lines or None,
        )


def _read_jsonl(path: Path, wanted: Collection[str]) -> Table:
    """Return a table from one JSON object per line; blank lines do not count."""
    return _json_rows(path, _text_lines(path), wanted)


def _json_rows(path: Path, lines: Iterable[str], wanted: Collection[str]) -> Table:
    rows = _Rows(str(path), wanted)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        value = _parsed(line, f"{path}, line {number}")
        if not isinstance(value, dict):
            raise DataError(
                f'{path}, line {number} is not a JSON object. Write {{"text": "…", "label": 0}} on every line.'
            )
        rows.add(value, number)
    return rows.table()


def _parsed(text: str, where: str) -> Any:
    """Return a JSON value.

    Raises:
        DataError: If it is no JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where} is not JSON: {error.msg} at character {error.pos + 1}. Correct or remove it."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not usable JSON: {error}. Correct or remove it.") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; of two equal keys, Python would silently keep the last."""
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {short(next(key for key in keys if keys.count(key) > 1))} stands twice")
    return value


def _read_json(path: Path, wanted: Collection[str]) -> Table:
    """Return a table from a list of objects, an object of columns, or one object per line."""
    text = "".join(_text_lines(path, _MAX_JSON_BYTES))
    if not text.strip():
        return _Rows(str(path), wanted).table()
    try:
        value = _parsed(text, str(path))
    except DataError as error:
        # Many files with this name are JSON Lines; only then does something follow the first value.
        if isinstance(error.__cause__, json.JSONDecodeError) and error.__cause__.msg == "Extra data":
            return _json_rows(path, text.split("\n"), wanted)
        raise
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        if len({len(column) for column in value.values()}) > 1:
            raise DataError(f"{path}: the lists under its keys differ in length. Make every column equally long.")
        value = [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    rows = _Rows(str(path), wanted)
    for number, row in enumerate(value if isinstance(value, list) else [value], start=1):
        if not isinstance(row, dict):
            raise DataError(f'{path}, row {number} is not a JSON object. Write a list of {{"text": "…", "label": 0}}.')
        rows.add(row)
    return rows.table()


def _read_csv(path: Path, wanted: Collection[str], delimiter: str = ",") -> Table:
    """Return a table from delimited text whose first row names the columns; every value is a string."""
    rows = _Rows(str(path), wanted)
    header: list[str] = []
    reader = csv.reader(_text_lines(path), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            if not cells:
                pass  # a blank line
            elif not header:
                header = _checked_header(path, cells)
            elif len(cells) != len(header):
                raise DataError(
                    f"{path}, line {start}: {len(cells)} values under {len(header)} column names. "
                    "Put quotes around values that hold the separator."
                )
            else:
                _check_quotes(path, start, cells, delimiter)
                rows.add(dict(zip(header, cells, strict=True)), start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, the row that starts at line {start}: {error}. Check its quotes.") from error
    return rows.table(header)


def _read_tsv(path: Path, wanted: Collection[str]) -> Table:
    return _read_csv(path, wanted, delimiter="\t")


def _checked_header(path: Path, cells: list[str]) -> list[str]:
    """Return the column names.

    Raises:
        DataError: If two are equal.
    """
    twice = [name for name in dict.fromkeys(cells) if cells.count(name) > 1]
    if twice:
        raise DataError(f"{path} has two columns named {short(twice[0])}. Rename one of them.")
    return cells


def _check_quotes(path: Path, line: int, cells: list[str], delimiter: str) -> None:
    """Make sure that no stray quote swallowed the rows after it, which tab-separated files without quoting invite.

    Raises:
        DataError: If a value spans lines and separators.
    """
    if delimiter == "\t" and any("\t" in cell and "\n" in cell for cell in cells):
        raise DataError(
            f"{path}, line {line}: the quote that opens a value here closes on a later line. "
            "Double every quote inside a quoted value, or save the file as .jsonl."
        )


def _read_parquet(path: Path, wanted: Collection[str]) -> Table:
    """Return a table from a parquet file, with the class names that `datasets` wrote into its metadata."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    with _opened(path) as file:
        try:
            parquet = pyarrow.parquet.ParquetFile(file)
            available = tuple(parquet.schema_arrow.names)
            _checked_header(path, list(available))
            content = parquet.read(columns=[name for name in available if name in wanted], use_threads=False)
            metadata = parquet.schema_arrow.metadata or {}
            columns = {name: content.column(name).to_pylist() for name in content.column_names}
        except (pa.ArrowException, ValueError, KeyError, OverflowError, OSError) as error:
            # Arrow also reports faults of the content as OSError; those of the system have a number.
            if isinstance(error, DataError) or getattr(error, "errno", None) is not None:
                raise
            reason = (str(error).splitlines() or ["unknown fault"])[0].rstrip(".")
            raise DataError(f"cannot read {path} as parquet: {reason}. Write the file anew.") from error
        num_rows = parquet.metadata.num_rows
    return Table(
        name=str(path),
        columns=columns,
        available=available,
        num_rows=num_rows,
        class_names=_class_names(metadata.get(b"huggingface"), wanted),
    )


def _class_names(metadata: bytes | None, wanted: Collection[str]) -> tuple[str, ...] | None:
    """Return the names of the first wanted ``ClassLabel`` column in the metadata that `datasets` writes."""
    try:
        features = json.loads(metadata or b"{}")["info"]["features"]
        found = [features[name]["names"] for name in wanted if features.get(name, {}).get("_type") == "ClassLabel"]
        return tuple(str(name) for name in found[0]) if found else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # not `datasets`' metadata: the labels speak for themselves


_READERS: dict[str, Callable[[Path, Collection[str]], Table]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
}
SUFFIXES = tuple(_READERS)
