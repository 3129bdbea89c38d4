"""Read small files of a checkpoint within bounds, whatever they hold. Imports no torch."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from freezebench.errors import ModelError
from freezebench.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The index of the largest published checkpoints has some megabytes.
MAX_JSON_BYTES = 2**24


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Give errors of the file system in a block as errors of the model of this name.

    Raises:
        ModelError: If a file cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"cannot load the model {name!r}: its files cannot be read ({error}). Correct their permissions, or write "
            "them again."
        ) from error


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file; not if its folder cannot be searched."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises errors of permissions before Python 3.14


def read_object(path: Path, name: str) -> dict[str, object]:
    """Return the JSON object that a file holds.

    Args:
        path: An existing file.
        name: What error messages call the model.

    Raises:
        ModelError: If it is no regular file, is too large, cannot be read, or holds something else.
    """
    if not is_file(path):
        raise ModelError(f"cannot load the model {name!r}: {path} is no regular file. Fetch or write it again.")
    with readable(name):
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_JSON_BYTES else b""
    if size > MAX_JSON_BYTES:
        raise ModelError(
            f"cannot load the model {name!r}: {path} has {bytes_text(size)}, and no such file has more than "
            f"{bytes_text(MAX_JSON_BYTES)}. Fetch or write it again."
        )
    try:
        value: object = json.loads(content)
    except ValueError as error:
        raise ModelError(
            f"cannot load the model {name!r}: {path} cannot be read: {error}. Fetch or write it again."
        ) from error
    except RecursionError as error:
        raise ModelError(
            f"cannot load the model {name!r}: {path} cannot be read: it is nested too deeply. Fetch or write it again."
        ) from error
    if not isinstance(value, dict):
        raise ModelError(f"cannot load the model {name!r}: {path} holds no JSON object. Fetch or write it again.")
    return value
