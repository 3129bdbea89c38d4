"""Files of a kilobyte that ask for gigabytes: bounded in memory and time, with an error of our own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from freezebench.data.columnar import read_arrow, read_parquet
from freezebench.data.load import load_data
from freezebench.data.unpacked import MAX_ROWS
from freezebench.errors import DataError
from freezebench.specs.data import DataSpec

REQUESTED = ("text", "label")
_PACKED = "is packed: its values take over 1000 times as much memory as the file"
# Reads a file with a limit on memory that a bomb would break by far.
_LIMITED = """
import resource, sys
from pathlib import Path
from freezebench.data.columnar import read_arrow, read_parquet
from freezebench.errors import DataError
import pyarrow.compute, pyarrow.parquet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = Path(sys.argv[1])
try:
    (read_arrow if path.suffix == ".arrow" else read_parquet)(path, ("text", "label"))
except DataError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def repeated(num_rows: int, num_chars: int) -> pa.Table:
    """Return rows that all have one text, which is stored once."""
    numbers = pa.array(np.zeros(num_rows, dtype=np.int32))
    texts = pa.DictionaryArray.from_arrays(numbers, pa.array(["x" * num_chars]))
    return pa.table({"text": texts, "label": pa.array(np.zeros(num_rows, dtype=np.int8))})


def bomb(path: Path, num_rows: int, num_chars: int, **options: Any) -> None:
    """Write a parquet file whose texts are one text and a count."""
    table = repeated(num_rows, num_chars)
    pq.write_table(table, path, row_group_size=num_rows, store_schema=False, compression="zstd", **options)


@pytest.mark.parametrize(
    ("num_rows", "num_chars", "message"),
    [
        (500_000, 100, _PACKED),
        (100_000, 1_000_000, _PACKED),
        (MAX_ROWS + 1, 1, f"states {MAX_ROWS + 1:,} rows, more than {MAX_ROWS:,}. Split the file."),
    ],
)
def test_a_text_that_is_repeated_by_a_count_is_not_written_out(
    tmp_path: Path, num_rows: int, num_chars: int, message: str
) -> None:
    """The count and the length are known before; memory and time stay small."""
    bomb(tmp_path / "train.parquet", num_rows, num_chars)
    started = time.process_time()
    with pytest.raises(DataError, match=message):
        load_data(DataSpec(source=str(tmp_path)))
    assert time.process_time() - started < 5


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_the_memory_of_a_bomb_is_bounded(tmp_path: Path, suffix: str) -> None:
    """A gigabyte in a file of a few kilobytes is refused with less than a tenth of it."""
    path = tmp_path / f"train.{suffix}"
    if suffix == "parquet":
        bomb(path, 1_000_000, 1000)
    else:
        table = repeated(100_000, 10_000)
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    command = [sys.executable, "-c", _LIMITED, str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert "is packed" in lines[0]
    assert int(lines[1]) * (1024 if sys.platform == "linux" else 1) < 200 * 2**20
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0


def test_a_stated_size_is_checked_first(tmp_path: Path) -> None:
    """Zeros compress well: their page is not unpacked."""
    table = pa.table({"text": ["\0" * 100_000_000], "label": [0]})
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=False, compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    started = time.process_time()
    with pytest.raises(DataError, match=_PACKED):
        read_parquet(tmp_path / "a.parquet", REQUESTED)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_arrow_files_are_refused(tmp_path: Path, codec: str) -> None:
    """Their parts would be unpacked before anything could be counted; save_to_disk compresses nothing."""
    table = pa.table({"text": ["\0" * 1_000_000] * 10, "label": [0] * 10})
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema, options=options) as stream:
        stream.write_table(table)
    with pytest.raises(DataError, match="is compressed, which save_to_disk of `datasets` does not do"):
        read_arrow(tmp_path / "a.arrow", REQUESTED)


def test_rows_without_content_are_counted(tmp_path: Path) -> None:
    """A column of nulls takes no byte, whatever its length."""
    table = pa.table({"text": pa.nulls(2**31 - 1), "label": pa.nulls(2**31 - 1)})
    with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema) as stream:
        stream.write_table(table)
    with pytest.raises(DataError, match=f"states {2**31 - 1:,} rows"):
        read_arrow(tmp_path / "a.arrow", REQUESTED)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[["a"]]] * 4),
        pa.array([{"a": 1}] * 4),
        pa.array([b"ab"] * 4, pa.binary(2)),
        pa.RunEndEncodedArray.from_arrays([4], ["a"]),
    ],
    ids=lambda values: str(values.type)[:20],
)
def test_other_types_are_refused(tmp_path: Path, values: pa.Array) -> None:
    """Lists of lists and objects are no texts, and some types repeat values by a count."""
    table = pa.table({"text": values, "label": [0, 1, 0, 1]})
    with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema) as stream:
        stream.write_table(table)
    with pytest.raises(DataError, match=r"the column 'text' has values of the type .* Write texts or numbers"):
        read_arrow(tmp_path / "a.arrow", REQUESTED)


@pytest.mark.parametrize("num_rows", [1, 20_000])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_usual_files_are_read(tmp_path: Path, num_rows: int, compression: str) -> None:
    """Real texts are far below the limits, and come out as they are written."""
    texts = [f"the film number {row} was {'good' if row % 2 else 'bad'}" for row in range(num_rows)]
    table = pa.table({"text": texts, "label": pa.array(["bad", None][:num_rows] * -(-num_rows // 2))[:num_rows]})
    pq.write_table(table, tmp_path / "a.parquet", compression=compression)
    read = read_parquet(tmp_path / "a.parquet", REQUESTED)
    assert read.columns == {"text": texts, "label": table["label"].to_pylist()}


@pytest.mark.parametrize("depth", [10**6, 10**5])
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
@pytest.mark.parametrize("bracket", ["[", '{"text":'])
def test_deep_nesting_is_refused(tmp_path: Path, depth: int, suffix: str, bracket: str) -> None:
    """One sentence that names the file."""
    (tmp_path / f"train.{suffix}").write_text(bracket * depth, encoding="utf-8")
    with pytest.raises(DataError, match=f"train.{suffix}"):
        load_data(DataSpec(source=str(tmp_path)))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "tsv", "parquet"])
def test_files_of_ten_gigabytes_without_a_line_end(tmp_path: Path, suffix: str) -> None:
    """Neither read into memory, nor read to their end."""
    path = tmp_path / f"train.{suffix}"
    with path.open("wb") as file:
        file.write(json.dumps({"text": "a"}).encode()[:-1])
        file.truncate(10 * 2**30)
    started = time.process_time()
    with pytest.raises(DataError):
        load_data(DataSpec(source=str(tmp_path)))
    assert time.process_time() - started < 5


def test_values_of_lists_are_counted(tmp_path: Path) -> None:
    """A file of a kilobyte with a row of two million numbers is packed; an ordinary one is read."""
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"text": ["a"], "label": [[0] * 2_000_000]}), path)
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"train.parquet is packed: its values take over 1000 times as much memory"):
        read_parquet(path, ("text", "label"))
    rows = [["a", "b"], [], None, ["c"]]
    pq.write_table(pa.table({"text": ["w", "x", "y", "z"], "label": rows}), path)
    assert read_parquet(path, ("text", "label")).columns["label"] == rows


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.large_list(pa.int64()), pa.list_(pa.int64(), 2)], ids=str)
def test_lists_of_every_kind_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    """Of any or of one length, from parquet and from Arrow files."""
    rows = [[1, 0], [0, 1], [1, 1]]
    table = pa.table({"text": ["x", "y", "z"], "label": pa.array(rows, kind)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_parquet(tmp_path / "a.parquet", ("text", "label")).columns["label"] == rows
    with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema) as stream:
        stream.write_table(table)
    assert read_arrow(tmp_path / "a.arrow", ("text", "label")).columns["label"] == rows
