"""Read JSON Lines, and JSON files that hold a list of objects or an object of columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from freezebench.data.lines import text_lines
from freezebench.data.rows import RowCollector
from freezebench.data.values import short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from freezebench.data.table import Table

_NO_OBJECT = 'it is not a JSON object such as {"text": "…", "label": 0}'
_MAX_JSON_BYTES = 512 * 2**20
# What `DataFrame.to_json` writes for each `orient` but "records" and "values", by the keys of the outer object.
_SPLIT_KEYS = {"columns", "index", "data"}
_TABLE_KEYS = {"schema", "data"}


def read_jsonl(path: Path, requested: Collection[str]) -> Table:
    """Return a table from one JSON object per line; blank lines are skipped."""
    if _begins_with_bracket(path):  # a list of objects under the name of JSON Lines
        return read_json(path, requested)
    return _json_rows(path, text_lines(path), requested)


def _begins_with_bracket(path: Path) -> bool:
    first = next((line for line in text_lines(path) if not line.isspace()), "")
    return first.lstrip().startswith("[")


def _json_rows(path: Path, lines: Iterable[str], requested: Collection[str]) -> Table:
    rows = RowCollector(str(path), requested)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = _parsed(line)
        except DataError as error:
            rows.add_bad(number, str(error))
            continue
        if isinstance(value, dict):
            if number == 1 and _holds_columns(value, requested):
                raise _orient_error(path, "holds an object under every column", "columns (the default)")
            rows.add(value, number)
        else:
            rows.add_bad(number, _NO_OBJECT)
    return rows.table()


def _holds_columns(row: dict[str, object], requested: Collection[str]) -> bool:
    """Return whether a first line is no row but a whole table, with an object per column."""
    values = [row[name] for name in requested if name in row]
    return bool(values) and all(isinstance(value, dict) for value in values)


def _parsed(text: str) -> object:
    """Return the value of a JSON text.

    Raises:
        DataError: If it is not JSON, or repeats a key; its message is a clause.
    """
    try:
        value: object = json.loads(text, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise DataError(f"it is not JSON ({error.msg} at character {error.pos + 1})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"it is not usable JSON ({error})") from error
    return value


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object, refusing equal keys: by default, Python keeps the last one silently."""
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {short(next(key for key in keys if keys.count(key) > 1))} occurs twice")
    return value


def read_json(path: Path, requested: Collection[str]) -> Table:
    """Return a table from a list of objects, an object of columns, or one object per line.

    Raises:
        DataError: If the file is not JSON, or has another layout.
    """
    text = "".join(text_lines(path, _MAX_JSON_BYTES))
    rows = RowCollector(str(path), requested, unit="row")
    if not text.strip():
        return rows.table()
    try:
        value = _parsed(text)
    except DataError as error:
        # Many files with this ending are JSON Lines, in which more data follows the first value.
        if isinstance(error.__cause__, json.JSONDecodeError) and error.__cause__.msg == "Extra data":
            return _json_rows(path, text.split("\n"), requested)
        raise DataError(f"{path}: {error}. Correct the file, or write one object per line (.jsonl).") from error
    for number, row in enumerate(_rows(path, value), start=1):
        if isinstance(row, dict):
            rows.add(row, number)
        else:
            rows.add_bad(number, _NO_OBJECT)
    return rows.table()


def _rows(path: Path, value: object) -> list[object]:
    """Return the rows of a JSON value: a list of objects, an object of columns, or a single object.

    Raises:
        DataError: If the value has another layout, such as one that pandas writes.
    """
    if isinstance(value, list):
        if value and all(isinstance(row, list) for row in value):
            raise _orient_error(path, "is a list of lists", "values")
        return value
    if not isinstance(value, dict) or not value:
        return [value]
    if value.keys() == _SPLIT_KEYS:
        raise _orient_error(path, f"has the keys {', '.join(value)}", "split")
    if value.keys() == _TABLE_KEYS:
        raise _orient_error(path, f"has the keys {', '.join(value)}", "table")
    if all(isinstance(column, dict) for column in value.values()):
        raise _orient_error(path, "is an object of objects", "columns (the default) or index")
    lists = {key: column for key, column in value.items() if isinstance(column, list)}
    if lists and all(column and isinstance(column[0], dict) for column in lists.values()):
        raise DataError(
            f"{path}: its rows are inside the key {short(next(iter(lists)))}. Write the list of rows itself, as pandas "
            'does with to_json("….json", orient="records").'
        )
    if len(lists) == len(value):
        if len({len(column) for column in value.values()}) > 1:
            raise DataError(f"{path}: the lists under its keys differ in length. Make every column equally long.")
        return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    return [value]


def _orient_error(path: Path, fact: str, orient: str) -> DataError:
    return DataError(
        f"{path} {fact}, as pandas writes with orient={orient}. Write a list of rows: "
        'to_json("….json", orient="records"), or to_json("….jsonl", orient="records", lines=True).'
    )
