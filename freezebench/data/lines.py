"""Read the lines of a UTF-8 text file strictly."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

MAX_LINE_BYTES = 16 * 2**20

_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_WEB_PAGE = ("<!doctype html", "<html")
_LFS_POINTER = "version https://git-lfs.github.com/"


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file for reading; errors of the system become a DataError."""
    try:
        # Reading a pipe would block for ever, and a folder gives a confusing error.
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} is a folder or a device, not a file. Give a regular file.")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}. Check the path and its permissions."
        ) from error


def text_lines(path: Path, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[str]:
    """Yield the lines of a UTF-8 file with their line ends, without a byte order mark.

    Raises:
        DataError: If the file is not UTF-8, binary, a web page, or has a line that is too long.
    """
    offset = 0
    blank = True
    with opened(path) as file:
        number = 0
        # The limit is given to readline, so that a file without line ends does not fill the memory.
        while raw := file.readline(max_line_bytes + 1):
            number += 1
            if len(raw) > max_line_bytes:
                size = f"{max_line_bytes // 2**20} MiB"
                raise DataError(f"{path}, line {number} is longer than {size}. Split it: one example is one line.")
            # Lines of text are decoded here, since a call per line takes as long as reading them.
            try:
                line = raw.decode("utf-8")
                is_plain = offset > 0 and "\0" not in line
            except UnicodeDecodeError:
                is_plain = False
            if not is_plain:
                line = _decoded(raw, f"{path}, line {number}", offset)
            offset += len(raw)
            if blank and line.strip():
                blank = False
                if line.lstrip().lower().startswith(_WEB_PAGE):
                    raise DataError(f"{path} is a web page, not data. Download the file itself.")
                if line.startswith(_LFS_POINTER):
                    raise DataError(f"{path} is a pointer of Git LFS, not data. Fetch the file itself: git lfs pull.")
            yield line


def _decoded(raw: bytes, location: str, offset: int) -> str:
    """Return a line as text; ``offset`` is the number of bytes before it in the file.

    Raises:
        DataError: If the line is not UTF-8, or holds NUL bytes.
    """
    if offset == 0:
        if raw[:2] in _OTHER_BOMS:
            raise DataError(f"{location}: byte 0 starts a {_OTHER_BOMS[raw[:2]]} file. Save the file as UTF-8.")
        if raw.startswith(_BOM):
            raw, offset = raw[len(_BOM) :], len(_BOM)
    # NUL is valid UTF-8, but in practice a sign of UTF-16 or of a binary file.
    if (position := raw.find(b"\0")) >= 0:
        raise DataError(
            f"{location}: byte {offset + position} is NUL, so this is not a text file. Save it as UTF-8 text."
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte {offset + error.start} (0x{raw[error.start]:02x})"
        raise DataError(f"{location}: {byte} is not UTF-8. Save the file as UTF-8.") from error
