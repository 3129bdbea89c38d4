"""Read one local file of examples strictly: values come out exactly as they are written, or an error names the line.

The loaders of `datasets` guess types (``NA`` becomes null, ``123`` a number, ``2020-01-01`` a timestamp) and leave a
cache behind. Here a text stays the text that it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.data.columnar import ARROW_SUFFIX, read_arrow, read_parquet
from freezebench.data.conll import read_conll
from freezebench.data.delimited import read_delimited
from freezebench.data.json_files import read_json, read_jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from freezebench.data.table import Table

# CoNLL files often have this ending, and so do files that are no data.
PLAIN_SUFFIX = ".txt"


def read_table(path: Path, requested: Collection[str], label_column: str = "label") -> Table:
    """Return the requested columns of a file.

    Args:
        path: A file whose name ends in one of ``SUFFIXES``, or an Arrow file of ``save_to_disk``.
        requested: Names of columns; those that do not exist are left out.
        label_column: Which of them has the labels.

    Raises:
        DataError: If the file cannot be read, or has another format than its name.
    """
    suffix = path.suffix.lower()
    if suffix in _DELIMITED:
        return read_delimited(path, requested, label_column)
    return _FORMATS[suffix](path, requested)


_FORMATS: dict[str, Callable[[Path, Collection[str]], Table]] = {
    ".jsonl": read_jsonl,
    ".json": read_json,
    ".parquet": read_parquet,
    ARROW_SUFFIX: read_arrow,
    ".conll": read_conll,
    ".bio": read_conll,
    PLAIN_SUFFIX: read_conll,
}
_DELIMITED = (".csv", ".tsv")
SUFFIXES = (".jsonl", ".json", *_DELIMITED, ".parquet", ".conll", ".bio", PLAIN_SUFFIX)
