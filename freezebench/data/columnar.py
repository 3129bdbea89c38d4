"""Read parquet files, and the Arrow files that ``save_to_disk`` of `datasets` writes."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezebench.data.header import check_distinct
from freezebench.data.lines import opened, text_lines
from freezebench.data.table import Table
from freezebench.data.unpacked import Budget, check_uncompressed
from freezebench.data.values import short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import BinaryIO

    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

ARROW_SUFFIX = ".arrow"
_STATE = "state.json"
_MAX_STATE_BYTES = 2**20
_BATCH_ROWS = 2**16
_FEW_ROWS = 16
_LIST_ROWS = 1024


def read_parquet(path: Path, requested: Collection[str]) -> Table:
    """Return a table from a parquet file, with the class names that `datasets` wrote into its metadata."""
    with opened(path) as file, _arrow_errors(path, "parquet"):
        import pyarrow as pa
        import pyarrow.parquet

        metadata = pyarrow.parquet.read_metadata(file)
        schema, num_rows = metadata.schema.to_arrow_schema(), metadata.num_rows
        check_distinct(path, tuple(schema.names))
        try:
            columns = _parquet_columns(path, file, metadata, requested, as_dictionary=True)
        except (pa.ArrowNotImplementedError, OSError) as error:
            # Texts stored by their lengths, or as differences from the one before; OSError is what it is raised as.
            if "Not yet implemented" not in str(error):
                raise
            columns = _parquet_columns(path, file, metadata, requested, as_dictionary=False)
        return _table(path, schema, columns, num_rows, requested)


def _parquet_columns(
    path: Path,
    file: BinaryIO,
    metadata: pyarrow.parquet.FileMetaData,
    requested: Collection[str],
    *,
    as_dictionary: bool,
) -> dict[str, list[object]]:
    """Return the requested columns of a parquet file.

    Args:
        path: The file's path.
        file: The open file.
        metadata: What it states.
        requested: Names of columns.
        as_dictionary: Whether texts are read as numbers of a dictionary, so that a text that is repeated is not written
            out before it is counted; else few rows are written out at a time.

    Raises:
        DataError: If a column has values of another kind, or they would take too much memory.
        ValueError: If the columns do not have as many values as the file states.
    """
    import pyarrow.parquet

    budget, num_rows = Budget(path), metadata.num_rows
    columns = _columns(metadata.schema.to_arrow_schema(), requested, budget)
    budget.check_rows(num_rows)
    budget.check_bytes(_stated_bytes(metadata))
    # Pages are read one after another.
    dictionaries = _leaves(metadata, columns) if as_dictionary else None
    parquet = pyarrow.parquet.ParquetFile(file, metadata=metadata, pre_buffer=False, read_dictionary=dictionaries)
    # Rows do not bound the values of lists. How many there are is stated, but pyarrow ends the process if it looks that
    # up in a damaged file.
    has_lists = any(path not in columns and _column(path) in columns for path in _paths(metadata))
    size = _LIST_ROWS if has_lists else _BATCH_ROWS
    if not as_dictionary:
        size = _FEW_ROWS
    for batch in parquet.iter_batches(size, columns=list(columns), use_threads=False) if columns else ():
        _extend(columns, batch, budget)
    for values in columns.values():
        if len(values) != num_rows:
            raise ValueError(f"it states {num_rows} rows and has {len(values)}")
    return columns


def _leaves(metadata: pyarrow.parquet.FileMetaData, columns: Collection[str]) -> list[str]:
    """Return the paths of the values of columns: of lists, that of their items."""
    return [path for path in _paths(metadata) if path in columns or _column(path) in columns]


def _paths(metadata: pyarrow.parquet.FileMetaData) -> list[str]:
    return [metadata.schema.column(number).path for number in range(metadata.num_columns)]


def _column(path: str) -> str:
    """Return the column of a path such as ``tokens.list.element``."""
    return path.partition(".list.")[0]


def _stated_bytes(metadata: pyarrow.parquet.FileMetaData) -> int:
    """Return how many bytes the columns of a parquet file take, uncompressed, as it states."""
    # Of all columns: where the facts of a single one are damaged, pyarrow ends the process when they are looked up.
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    return sum(max(int(group.total_byte_size), 0) for group in groups)


def _columns(schema: pa.Schema, requested: Collection[str], budget: Budget) -> dict[str, list[object]]:
    """Return the requested columns of a file, empty so far.

    Raises:
        DataError: If one of them has values of another kind than texts and numbers.
    """
    names = [name for name in schema.names if name in requested]
    for name in names:
        budget.check_type(name, schema.field(name).type)
    return {name: [] for name in names}


def _extend(columns: dict[str, list[object]], batch: pa.RecordBatch, budget: Budget) -> None:
    """Append the values of a batch to their columns.

    Raises:
        DataError: If they would take too much memory.
    """
    for name, values in columns.items():
        column = batch.column(name)
        column.validate(full=True)  # offsets in a damaged file may lead anywhere
        budget.take(column)
        values.extend(column.to_pylist())


def _table(
    path: Path, schema: pa.Schema, columns: dict[str, list[object]], num_rows: int, requested: Collection[str]
) -> Table:
    return Table(
        name=str(path),
        columns=columns,
        available=tuple(schema.names),
        num_rows=num_rows,
        class_names=_class_names(schema.metadata, requested),
    )


def arrow_files(folder: Path) -> list[Path] | None:
    """Return the Arrow files of a data set that ``save_to_disk`` wrote, in order; ``None`` if the folder is no such.

    Raises:
        DataError: If its list of files cannot be read.
    """
    path = folder / _STATE
    if not path.is_file():
        return None
    try:
        state = json.loads("".join(text_lines(path, _MAX_STATE_BYTES)))
        # Only names: a path would lead out of the folder.
        files = [folder / Path(file["filename"]).name for file in state["_data_files"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} does not list the files of a data set. Write it again with save_to_disk of `datasets`."
        ) from error
    other = next((file.name for file in files if file.suffix != ARROW_SUFFIX), None)
    if other is not None:
        raise DataError(f"{path} lists {short(other)}, which is no Arrow file. Write it again with save_to_disk.")
    return files


def read_arrow(path: Path, requested: Collection[str]) -> Table:
    """Return a table from an Arrow file that ``save_to_disk`` wrote."""
    with opened(path) as file, _arrow_errors(path, "an Arrow stream"):
        import pyarrow as pa

        check_uncompressed(path, file)
        stream, budget = pa.ipc.open_stream(file), Budget(path)
        check_distinct(path, tuple(stream.schema.names))
        columns = _columns(stream.schema, requested, budget)
        num_rows = 0
        for batch in stream:
            num_rows += batch.num_rows
            budget.check_rows(num_rows)
            _extend(columns, batch, budget)
        return _table(path, stream.schema, columns, num_rows, requested)


@contextmanager
def _arrow_errors(path: Path, kind: str) -> Iterator[None]:
    """Turn the errors of Arrow in a block into a DataError."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, ValueError, KeyError, OverflowError, MemoryError, OSError) as error:
        # Arrow reports faulty content as OSError, too; only an error of the system has a number.
        if isinstance(error, DataError) or getattr(error, "errno", None) is not None:
            raise
        reason = (str(error).splitlines() or ["unknown fault"])[0].rstrip(".")
        raise DataError(f"cannot read {path} as {kind}: {reason}. Write the file again.") from error


def _class_names(metadata: dict[bytes, bytes] | None, requested: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the names of requested columns of ``ClassLabel``, or of lists of it, in the metadata of `datasets`."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface") or b"{}")["info"]["features"]
        items = {name: _item(features[name]) for name in requested if name in features}
        return {
            name: tuple(str(label) for label in item["names"])
            for name, item in items.items()
            if item.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # the metadata is not that of `datasets`


def _item(feature: Any) -> Any:
    """Return the feature of a column's items, or that of the column if it has no lists."""
    if isinstance(feature, list):  # as older versions of `datasets` write lists
        return feature[0]
    return feature.get("feature", feature)
