"""Read parquet files, and the Arrow files that ``save_to_disk`` of `datasets` writes."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.data.header import check_distinct
from freezebench.data.lines import opened, text_lines
from freezebench.data.table import Table
from freezebench.data.values import short
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ARROW_SUFFIX = ".arrow"
_STATE = "state.json"
_MAX_STATE_BYTES = 2**20


def read_parquet(path: Path, requested: Collection[str]) -> Table:
    """Return a table from a parquet file, with the class names that `datasets` wrote into its metadata."""
    with opened(path) as file, _arrow_errors(path, "parquet"):
        import pyarrow.parquet  # type: ignore[import-untyped]

        parquet = pyarrow.parquet.ParquetFile(file)
        available = tuple(parquet.schema_arrow.names)
        check_distinct(path, available)
        content = parquet.read(columns=[name for name in available if name in requested], use_threads=False)
        num_rows = parquet.metadata.num_rows
        if content.column_names and content.num_rows != num_rows:
            raise ValueError(f"it states {num_rows} rows and has {content.num_rows}")
        return Table(
            name=str(path),
            columns={name: content.column(name).to_pylist() for name in content.column_names},
            available=available,
            num_rows=num_rows,
            class_names=_class_names(parquet.schema_arrow.metadata, requested),
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

        stream = pa.ipc.open_stream(file)
        available = tuple(stream.schema.names)
        check_distinct(path, available)
        names = [name for name in available if name in requested]
        columns: dict[str, list[object]] = {name: [] for name in names}
        num_rows = 0
        # One batch after another, so that columns which are not used do not fill the memory.
        for batch in stream:
            num_rows += batch.num_rows
            for name in names:
                column = batch.column(name)
                column.validate(full=True)  # offsets in a damaged file may lead anywhere
                columns[name].extend(column.to_pylist())
        return Table(
            name=str(path),
            columns=columns,
            available=available,
            num_rows=num_rows,
            class_names=_class_names(stream.schema.metadata, requested),
        )


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


def _class_names(metadata: dict[bytes, bytes] | None, requested: Collection[str]) -> tuple[str, ...] | None:
    """Return the names of the first requested ``ClassLabel`` column in the metadata that `datasets` writes."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface") or b"{}")["info"]["features"]
        names = [features[name]["names"] for name in requested if features.get(name, {}).get("_type") == "ClassLabel"]
        return tuple(str(name) for name in names[0]) if names else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # the metadata is not that of `datasets`
