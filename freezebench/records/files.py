"""Checks of folders, atomic writing of files, and the conversion of values to JSON types."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, overload, runtime_checkable

from freezebench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    from freezebench.specs.json_types import Json


@runtime_checkable
class _HasToJson(Protocol):
    """A value with a JSON form of its own."""

    def to_json(self) -> dict[str, Json]:
        """Return the value in JSON types."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file atomically: a process that reads it meanwhile gets the whole new file, or the old one.

    Raises:
        OSError: If the file cannot be written; the old one is then unchanged.
    """
    # A file that is written next to its destination can be renamed over it in one step, whatever happens in between.
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            Path(file.name).unlink()
            raise
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def prepare_folder(folder: Path, option: str) -> None:
    """Create a folder and check that files can be written there.

    Args:
        folder: The folder.
        option: The option that names it, for the message.

    Raises:
        SettingsError: If files cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"{option}={folder}: cannot write there ({error.strerror}). Name another folder."
        ) from error


@overload
def plain(value: DataclassInstance | Mapping[str, object]) -> dict[str, Json]: ...


@overload
def plain(value: object) -> Json: ...


def plain(value: object) -> Json:
    """Return a value in JSON types; numbers that are not finite become ``None``, since JSON cannot represent them."""
    # Numbers and texts first: predictions and losses make up most of a record.
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, _HasToJson):
        return value.to_json()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")
