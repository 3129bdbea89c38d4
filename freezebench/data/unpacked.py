"""How much memory the values of a parquet or Arrow file take, seen before they are unpacked.

A file of a kilobyte can stand for gigabytes: a text is stored once and repeated a billion times by a count, or zeros
are compressed ten thousandfold. So what a file states is checked first, and texts are read as numbers of a dictionary
and counted before they are written out.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from freezebench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa  # type: ignore[import-untyped]

MAX_ROWS = 50_000_000
# A list's entry and a small Python object.
_VALUE_BYTES = 64
_MOST_BYTES = 8 * 2**30
# Texts of people shrink to a quarter, and columns of few values to a thousandth.
_MOST_EXPANSION = 1000
_ALWAYS_BYTES = 64 * 2**20
# Numbers of Arrow's format, see Message.fbs: kinds of messages, and positions of fields in their tables.
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_HEADER_TYPE, _HEADER, _DICTIONARY_DATA, _COMPRESSION = 1, 2, 1, 3


class Budget:
    """Counts what the values of one file take, and refuses a file that asks for much more than it is large."""

    def __init__(self, path: Path) -> None:
        """Allow what a file of this size may need.

        Raises:
            OSError: If there is no file.
        """
        self._path = path
        self._left = min(_MOST_BYTES, _ALWAYS_BYTES + _MOST_EXPANSION * path.stat().st_size)

    def check_rows(self, num_rows: int) -> None:
        """Check the number of rows that a file states.

        Raises:
            DataError: If no data set has as many.
        """
        if num_rows > MAX_ROWS:
            raise DataError(f"{self._path} states {num_rows:,} rows, more than {MAX_ROWS:,}. Split the file.")

    def check_bytes(self, num_bytes: int) -> None:
        """Check the number of bytes that a file states for its values.

        Raises:
            DataError: If it is too much.
        """
        if num_bytes > self._left:
            raise DataError(
                f"{self._path} is packed: its values take over {_MOST_EXPANSION} times as much memory as the file, or "
                f"over {_MOST_BYTES // 2**30} GiB. Write it again without repeated or compressed texts, or split it."
            )

    def check_type(self, name: str, kind: pa.DataType) -> None:
        """Check that the values of a column are texts, numbers or truth values, or lists of these.

        Raises:
            DataError: If they are not.
        """
        import pyarrow as pa

        value = kind.value_type if _is_list(kind) else kind
        value = value.value_type if pa.types.is_dictionary(value) else value
        tests = (pa.types.is_nested, pa.types.is_fixed_size_binary, pa.types.is_run_end_encoded, pa.types.is_dictionary)
        if isinstance(value, pa.BaseExtensionType) or any(test(value) for test in tests):
            raise DataError(
                f"{self._path}: the column {name!r} has values of the type {str(kind)[:80]}. Write texts or numbers, "
                "or lists of them."
            )

    def take(self, column: pa.Array) -> None:
        """Count the values of a part of a column, before they are unpacked.

        Raises:
            DataError: If the file asks for too much.
        """
        num_bytes = _unpacked_bytes(column)
        self.check_bytes(num_bytes)
        self._left -= num_bytes


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _unpacked_bytes(column: pa.Array) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc  # type: ignore[import-untyped]

    num_bytes = _VALUE_BYTES * len(column)
    if _is_list(column.type):
        return num_bytes + _unpacked_bytes(column.flatten())
    if not pa.types.is_dictionary(column.type):
        return num_bytes + int(column.nbytes)
    if column.type.value_type in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        lengths = pc.binary_length(column.dictionary).cast(pa.int64())
        num_bytes += pc.sum(lengths.take(column.indices)).as_py() or 0
    return num_bytes


def check_uncompressed(path: Path, file: BinaryIO) -> None:
    """Check that no part of an Arrow stream is compressed: `save_to_disk` compresses nothing.

    Args:
        path: The file's path, for the message.
        file: The open file; its position is at the beginning afterwards.

    Raises:
        DataError: If a part is.
        ValueError: If the stream is damaged.
    """
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(file):
        if _is_compressed(message.metadata.to_pybytes()):
            raise DataError(
                f"{path} is compressed, which save_to_disk of `datasets` does not do. Write it again with it."
            )
    file.seek(0)


def _is_compressed(metadata: bytes) -> bool:
    """Return whether the buffers of a message are compressed.

    Raises:
        ValueError: If its table leads out of it.
    """
    try:
        message = _offset(metadata, 0)
        kind_at, batch = _field(metadata, message, _HEADER_TYPE), _field(metadata, message, _HEADER)
        kind = metadata[kind_at] if kind_at else 0
        if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH) or not batch:
            return False
        batch = _offset(metadata, batch)
        if kind == _DICTIONARY_BATCH:
            batch = _offset(metadata, _field(metadata, batch, _DICTIONARY_DATA))
        return _field(metadata, batch, _COMPRESSION) != 0
    except (struct.error, IndexError) as error:
        raise ValueError("the table of a message leads out of it") from error


def _offset(data: bytes, position: int) -> int:
    """Return the position that a relative offset leads to."""
    return position + int(struct.unpack_from("<I", data, position)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Return the position of a table's field; 0 if it is not set."""
    (distance,) = struct.unpack_from("<i", data, table)
    start = table - distance
    if start < 0:
        raise IndexError(start)
    (size,) = struct.unpack_from("<H", data, start)
    entry = 4 + 2 * number
    offset = int(struct.unpack_from("<H", data, start + entry)[0]) if entry + 2 <= size else 0
    return table + offset if offset else 0
