"""Read one local file of examples strictly: values come out exactly as they are written, or an error names the line.

The loaders of `datasets` guess types (``NA`` becomes null, ``123`` a number, ``2020-01-01`` a timestamp) and leave a
cache behind. Here a text stays the text that it is.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from freezebench.data.lines import opened, text_lines
from freezebench.data.table import Table
from freezebench.data.values import short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

_MAX_JSON_BYTES = 512 * 2**20


def read_table(path: Path, requested: Collection[str]) -> Table:
    """Return the requested columns of a file.

    Args:
        path: A file whose name ends in one of ``SUFFIXES``.
        requested: Names of columns; those that do not exist are left out.

    Raises:
        DataError: If the file cannot be read, or has another format than its name.
    """
    return _FORMATS[path.suffix.lower()](path, requested)


class _Rows:
    """Collects the requested columns of rows that come as dictionaries."""

    def __init__(self, name: str, requested: Collection[str]) -> None:
        self._name = name
        self._columns: dict[str, list[object]] = {column: [] for column in requested}
        self._available: dict[str, None] = {}
        self._lines: list[int] = []
        self._num_rows = 0

    def add(self, row: dict[str, object], line: int | None = None) -> None:
        """Add a row; a key that it lacks counts as null."""
        for key in row:
            self._available.setdefault(key)
        for column, values in self._columns.items():
            values.append(row.get(column))
        self._num_rows += 1
        if line is not None:
            self._lines.append(line)

    def table(self, header: Iterable[str] = ()) -> Table:
        """Return the rows as a table."""
        available = tuple(dict.fromkeys([*header, *self._available]))
        return Table(
            name=self._name,
            columns={name: values for name, values in self._columns.items() if name in available},
            available=available,
            num_rows=self._num_rows,
            lines=self._lines or None,
        )


def _read_jsonl(path: Path, requested: Collection[str]) -> Table:
    """Return a table from one JSON object per line; blank lines are skipped."""
    return _json_rows(path, text_lines(path), requested)


def _json_rows(path: Path, lines: Iterable[str], requested: Collection[str]) -> Table:
    rows = _Rows(str(path), requested)
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


def _parsed(text: str, location: str) -> object:
    """Return the value of a JSON text.

    Raises:
        DataError: If it is not JSON, or repeats a key.
    """
    try:
        value: object = json.loads(text, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{location} is not JSON: {error.msg} at character {error.pos + 1}. Correct or remove it."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{location} is not usable JSON: {error}. Correct or remove it.") from error
    return value


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object, refusing equal keys: by default, Python keeps the last one silently."""
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {short(next(key for key in keys if keys.count(key) > 1))} occurs twice")
    return value


def _read_json(path: Path, requested: Collection[str]) -> Table:
    """Return a table from a list of objects, an object of columns, or one object per line."""
    text = "".join(text_lines(path, _MAX_JSON_BYTES))
    if not text.strip():
        return _Rows(str(path), requested).table()
    try:
        value = _parsed(text, str(path))
    except DataError as error:
        # Many files with this ending are JSON Lines, in which more data follows the first value.
        if isinstance(error.__cause__, json.JSONDecodeError) and error.__cause__.msg == "Extra data":
            return _json_rows(path, text.split("\n"), requested)
        raise
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        if len({len(column) for column in value.values()}) > 1:
            raise DataError(f"{path}: the lists under its keys differ in length. Make every column equally long.")
        value = [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    rows = _Rows(str(path), requested)
    for number, row in enumerate(value if isinstance(value, list) else [value], start=1):
        if not isinstance(row, dict):
            raise DataError(f'{path}, row {number} is not a JSON object. Write a list of {{"text": "…", "label": 0}}.')
        rows.add(row)
    return rows.table()


def _read_csv(path: Path, requested: Collection[str], delimiter: str = ",") -> Table:
    """Return a table from delimited text whose first row names the columns; every value is a string."""
    rows = _Rows(str(path), requested)
    header: list[str] = []
    parser = csv.reader(text_lines(path), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in parser:
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
            start = parser.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, the row that starts at line {start}: {error}. Check its quotes.") from error
    return rows.table(header)


def _read_tsv(path: Path, requested: Collection[str]) -> Table:
    return _read_csv(path, requested, delimiter="\t")


def _checked_header(path: Path, cells: list[str]) -> list[str]:
    """Return the column names.

    Raises:
        DataError: If two are equal.
    """
    repeated = [name for name in dict.fromkeys(cells) if cells.count(name) > 1]
    if repeated:
        raise DataError(f"{path} has two columns named {short(repeated[0])}. Rename one of them.")
    return cells


def _check_quotes(path: Path, line: int, cells: list[str], delimiter: str) -> None:
    """Check that no stray quote took the rows after it into one value, as happens in tab-separated files.

    Raises:
        DataError: If a value contains both separators and line ends.
    """
    if delimiter == "\t" and any("\t" in cell and "\n" in cell for cell in cells):
        raise DataError(
            f"{path}, line {line}: the quote that opens a value here closes on a later line. "
            "Double every quote inside a quoted value, or save the file as .jsonl."
        )


def _read_parquet(path: Path, requested: Collection[str]) -> Table:
    """Return a table from a parquet file, with the class names that `datasets` wrote into its metadata."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    with opened(path) as file:
        try:
            parquet = pyarrow.parquet.ParquetFile(file)
            available = tuple(parquet.schema_arrow.names)
            _checked_header(path, list(available))
            content = parquet.read(columns=[name for name in available if name in requested], use_threads=False)
            metadata = parquet.schema_arrow.metadata or {}
            columns = {name: content.column(name).to_pylist() for name in content.column_names}
        except (pa.ArrowException, ValueError, KeyError, OverflowError, OSError) as error:
            # Arrow reports faulty content as OSError, too; only an error of the system has a number.
            if isinstance(error, DataError) or getattr(error, "errno", None) is not None:
                raise
            reason = (str(error).splitlines() or ["unknown fault"])[0].rstrip(".")
            raise DataError(f"cannot read {path} as parquet: {reason}. Write the file again.") from error
        num_rows = parquet.metadata.num_rows
    return Table(
        name=str(path),
        columns=columns,
        available=available,
        num_rows=num_rows,
        class_names=_class_names(metadata.get(b"huggingface"), requested),
    )


def _class_names(metadata: bytes | None, requested: Collection[str]) -> tuple[str, ...] | None:
    """Return the names of the first requested ``ClassLabel`` column in the metadata that `datasets` writes."""
    try:
        features = json.loads(metadata or b"{}")["info"]["features"]
        names = [features[name]["names"] for name in requested if features.get(name, {}).get("_type") == "ClassLabel"]
        return tuple(str(name) for name in names[0]) if names else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # the metadata is not that of `datasets`


_FORMATS: dict[str, Callable[[Path, Collection[str]], Table]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
}
SUFFIXES = tuple(_FORMATS)
