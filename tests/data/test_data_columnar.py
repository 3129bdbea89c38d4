"""Parquet and Arrow files: damaged ones end in one sentence, whatever their bytes lead to."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from freezebench.data.columnar import read_arrow, read_parquet
from freezebench.data.load import load_data
from freezebench.errors import DataError, FreezebenchError
from freezebench.specs.data import DataSpec

REQUESTED = ("text", "label")
TABLE = pa.table({"text": [f"film {row}" for row in range(20)], "label": [row % 2 for row in range(20)]})


def content(kind: str) -> bytes:
    """Return the bytes of a sound file."""
    file = io.BytesIO()
    if kind == "parquet":
        pq.write_table(TABLE, file)
    else:
        with pa.ipc.new_stream(file, TABLE.schema) as stream:
            stream.write_table(TABLE)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_damaged_files_are_refused_or_read(tmp_path: Path, kind: str) -> None:
    """No damage leads to another exception, to rows that are not there, or to more memory than the file is large."""
    sound, draw = content(kind), random.Random(0)  # noqa: S311 - no secret
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "train.arrow"}]}')
    source = tmp_path / "train.parquet" if kind == "parquet" else tmp_path
    refused = 0
    for _ in range(300):
        damaged = bytearray(sound)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.choice([0, 127, 128, 255])
        (tmp_path / f"train.{kind}").write_bytes(damaged)
        try:
            load_data(DataSpec(source=str(source), bad_rows="drop"))
        except FreezebenchError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017 - either ending is right
    assert refused > 100


def test_offsets_beyond_the_file(tmp_path: Path) -> None:
    """A text that claims to begin or end elsewhere is not read from there."""
    sound = content("arrow")
    offsets = b"".join(number.to_bytes(4, "little") for number in (0, 6, 12, 18))
    position = sound.index(offsets)
    (tmp_path / "a.arrow").write_bytes(sound[: position + 4] + b"\xff\xff\xff\x3f" + sound[position + 8 :])
    with pytest.raises(DataError, match=r"a.arrow as an Arrow stream: .*Write the file again"):
        read_arrow(tmp_path / "a.arrow", REQUESTED)


def test_dictionaries_and_other_types(tmp_path: Path) -> None:
    """Categories are read as their strings; a column that is not requested may have any type."""
    table = TABLE.set_column(1, "label", pa.array(["good", "bad"] * 10).dictionary_encode())
    table = table.append_column("more", pa.array([{"a": [1]}] * 20))
    pq.write_table(table, tmp_path / "a.parquet")
    read = read_parquet(tmp_path / "a.parquet", REQUESTED)
    assert read.columns["label"] == ["good", "bad"] * 10
    assert read.available == ("text", "label", "more")


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_texts_without_a_dictionary(tmp_path: Path, encoding: str) -> None:
    """Texts that other programs store by their lengths, or as differences, are read, though not as a dictionary."""
    path = tmp_path / "train.parquet"
    pq.write_table(TABLE, path, use_dictionary=False, column_encoding={"text": encoding}, row_group_size=7)
    table = read_parquet(path, REQUESTED)
    assert table.columns == TABLE.to_pydict()
    assert table.num_rows == TABLE.num_rows


def test_long_texts_that_are_stored_as_differences(tmp_path: Path) -> None:
    """A long text that all rows repeat is refused before all of them are written out."""
    path, text = tmp_path / "train.parquet", "dull " * 2**17
    table = pa.table({"text": [text] * 150, "label": [0] * 150})
    pq.write_table(table, path, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"}, compression="zstd")
    assert path.stat().st_size < 2**14
    with pytest.raises(DataError, match="is packed"):
        read_parquet(path, REQUESTED)
