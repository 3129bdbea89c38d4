"""Find and read the files of a local data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.data.formats import SUFFIXES, read_table
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from freezebench.data.table import Table

SPLIT_NAMES = {"train": ("train",), "validation": ("validation", "val", "dev", "valid"), "test": ("test",)}

SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}
_MAX_FILES = 10


def read_local(path: Path, requested: Collection[str]) -> dict[str, Table]:
    """Return the tables of a folder by split, or one file as ``train``.

    Args:
        path: An existing folder or file.
        requested: Names of the columns to read; those that do not exist are left out.

    Raises:
        DataError: If there is no train file, two files claim one split, or a file cannot be read.
    """
    try:
        files = split_files(path) if path.is_dir() else {"train": _checked_suffix(path)}
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}. Check the path and its permissions."
        ) from error
    return {split: read_table(file, requested) for split, file in files.items()}


def split_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by split.

    Raises:
        DataError: If there is no train file, or two files claim one split.
        OSError: If the folder cannot be listed.
    """
    files: dict[str, Path] = {}
    entries = sorted(folder.iterdir())
    for entry in entries:
        # A folder may hold other files, such as a README; only those with a split's name are read.
        split = SPLIT_OF.get(entry.stem.lower())
        if split is None or entry.suffix.lower() not in SUFFIXES:
            continue
        if split in files:
            raise DataError(
                f"{folder} has two files for the {split} split, {files[split].name} and {entry.name}. Keep one of them."
            )
        files[split] = entry
    if "train" not in files:
        names = ", ".join(entry.name for entry in entries[:_MAX_FILES])
        more = f" and {len(entries) - _MAX_FILES} more" if len(entries) > _MAX_FILES else ""
        raise DataError(
            f"{folder} has no train file: it has {names or 'nothing'}{more}. "
            f"Put train, validation and test files in it ({', '.join(SUFFIXES)})."
        )
    return {split: files[split] for split in SPLIT_NAMES if split in files}


def _checked_suffix(path: Path) -> Path:
    """Return a path after checking that its ending is a known format.

    Raises:
        DataError: If it is not.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"cannot read {path}: {path.suffix or 'a name without ending'} is not a known format. "
            f"Give one of {', '.join(SUFFIXES)}."
        )
    return path
