"""Find and read the files of a local data set."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.data.columnar import arrow_files
from freezebench.data.formats import PLAIN_SUFFIX, SUFFIXES, read_table
from freezebench.data.lines import text_lines
from freezebench.data.table import Table
from freezebench.errors import DataError
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "dev", "valid", "development"),
    "test": ("test", "testing"),
}
SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}
# Some call the validation split so, and others the test split: such a file becomes the one that is missing.
_EVALUATION = ("eval", "evaluation")

# How the Hub names the parts of a split, in older repositories with a hash: train-00000-of-00002-b42a775f407cee45.
_PART = re.compile(r"(?P<split>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})(-[0-9a-f]{16})?")
# `save_to_disk` of `datasets` writes this file into the folder of a data set with several splits.
_DICT = "dataset_dict.json"
_MAX_DICT_BYTES = 2**20
# Files that `datasets` writes beside the data.
_METADATA = ("dataset_info.json", "dataset_infos.json", "state.json", _DICT)
_MAX_FILES = 10


@dataclass(frozen=True, kw_only=True)
class SplitFiles:
    """The files of a data set.

    Attributes:
        by_split: The files of every split, in the order of their rows.
        notes: Which files are not used, or used under another name, in sentences.
    """

    by_split: Mapping[str, tuple[Path, ...]]
    notes: tuple[str, ...] = ()


def read_local(
    path: Path, requested: Collection[str], label_column: str = "label", *, needs_train: bool = True
) -> tuple[dict[str, Table], tuple[str, ...]]:
    """Return the tables of a folder by split, or one file as ``train``, and notes on files and tables.

    Args:
        path: An existing folder or file.
        requested: Names of the columns to read; those that do not exist are left out.
        label_column: Which of them has the labels.
        needs_train: Whether there has to be a train file; else one of any split is enough.

    Raises:
        DataError: If there is no train file, two files claim one split, or a file cannot be read.
    """
    try:
        files = split_files(path, needs_train=needs_train)
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}. Check the path and its permissions."
        ) from error
    tables = {}
    for split, parts in files.by_split.items():
        read = [read_table(part, requested, label_column) for part in parts]
        tables[split] = read[0] if len(read) == 1 else Table.joined(f"the {split} split of {path}", read)
    return tables, (*files.notes, *(note for table in tables.values() for note in table.notes))


def split_files(path: Path, *, needs_train: bool = True) -> SplitFiles:
    """Return the files of a folder by split, or of one file as ``train``.

    Args:
        path: The folder or file.
        needs_train: Whether there has to be a train file; else one of any split is enough.

    Raises:
        DataError: If there is no train file, or two files claim one split.
        OSError: If the folder cannot be listed.
    """
    if not path.is_dir():
        return _single(path)
    if (path / _DICT).is_file():
        return _checked(path, *_saved_splits(path, needs_train=needs_train), needs_train=needs_train)
    saved = arrow_files(path)
    if saved is not None:
        return _checked(path, {"train": tuple(saved)}, (), needs_train=needs_train)
    entries = _entries(path)
    inner = path / "data"  # where repositories of the Hub have their files
    if not any(_split_of(entry)[0] == "train" for entry in entries) and inner.is_dir():
        path, entries = inner, _entries(inner)
    return _checked(path, *_named_splits(path, entries), needs_train=needs_train)


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _single(path: Path) -> SplitFiles:
    """Return one file as ``train``, after checking that its ending is a known format.

    Raises:
        DataError: If it is not.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"cannot read {path}: {path.suffix or 'a name without ending'} is not a known format. "
            f"Give one of {', '.join(SUFFIXES)}."
        )
    match = _PART.fullmatch(path.stem)
    is_part = match is not None and int(match["parts"]) > 1
    note = f"{path.name} is one of several parts, and the others are not used. Give the folder to use all of them."
    return SplitFiles(by_split={"train": (path,)}, notes=(note,) if is_part else ())


def _named_splits(folder: Path, entries: Sequence[Path]) -> tuple[dict[str, tuple[Path, ...]], list[str]]:
    """Return the files that have the name of a split, and notes.

    Raises:
        DataError: If two files claim one split, or parts are missing.
    """
    claims: dict[str, list[Path]] = {}
    for entry in entries:
        name, _ = _split_of(entry)
        if name is not None:
            claims.setdefault(name, []).append(entry)
    if any(path.suffix.lower() != PLAIN_SUFFIX for paths in claims.values() for path in paths):
        data = {name: [path for path in paths if path.suffix.lower() != PLAIN_SUFFIX] for name, paths in claims.items()}
        claims = {name: paths for name, paths in data.items() if paths}
    notes = []
    files = {split: _parts(folder, split, claims[split]) for split in SPLIT_NAMES if split in claims}
    for missing in ("validation", "test"):
        if missing not in files and "eval" in claims:
            files[missing] = _parts(folder, missing, claims.pop("eval"))
            notes.append(f"{files[missing][0].name} is used as the {missing} split.")
    used = {path for paths in files.values() for path in paths}
    unused = [entry.name for entry in entries if entry not in used and _may_be_data(entry)]
    if unused:
        notes.append(_unused_note(unused))
    return files, notes


def _split_of(entry: Path) -> tuple[str | None, tuple[int, int] | None]:
    """Return which split a file's name claims, ``eval`` for either of two, and its part and the number of parts."""
    if entry.suffix.lower() not in SUFFIXES:
        return None, None
    match = _PART.fullmatch(entry.stem)
    stem = (match["split"] if match else entry.stem).lower()
    return "eval" if stem in _EVALUATION else SPLIT_OF.get(stem), match and (int(match["part"]), int(match["parts"]))


def _parts(folder: Path, split: str, paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files of a split: one, or all parts in their order.

    Raises:
        DataError: If several files claim it, or a part is missing.
    """
    parts = {part: path for path in paths if (part := _split_of(path)[1])}
    if len(paths) > 1 and (len(parts) < len(paths) or len({num for _, num in parts}) > 1):
        raise DataError(
            f"{folder} has two files for the {split} split, {paths[0].name} and {paths[1].name}. Keep one of them."
        )
    num_parts = max((num for _, num in parts), default=1)
    numbers = [part for part, _ in sorted(parts)]
    if parts and numbers not in (list(range(num_parts)), list(range(1, num_parts + 1))):
        raise DataError(f"{folder} has {len(parts)} of the {num_parts} parts of its {split} split. Add the others.")
    return tuple(parts[key] for key in sorted(parts)) or tuple(paths)


def _may_be_data(entry: Path) -> bool:
    """Return whether a file that is not used has the format of data or the name of a split."""
    if entry.suffix.lower() in SUFFIXES and entry.suffix.lower() != PLAIN_SUFFIX:
        return entry.name not in _METADATA
    words = re.split(r"[^a-z]+", entry.name.lower())
    return any(word in SPLIT_OF or word in _EVALUATION for word in words)


def _unused_note(names: Sequence[str]) -> str:
    listed_names = listed(names, _MAX_FILES)
    return f"Files that are not used: {listed_names}. A split's file is called train, validation or test."


def _saved_splits(folder: Path, *, needs_train: bool) -> tuple[dict[str, tuple[Path, ...]], list[str]]:
    """Return the files of a data set with several splits that ``save_to_disk`` wrote, and notes.

    Raises:
        DataError: If its list of splits cannot be read, or there is no train split though one is needed.
    """
    path = folder / _DICT
    try:
        names = [str(name) for name in json.loads("".join(text_lines(path, _MAX_DICT_BYTES)))["splits"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path} does not list the splits of a data set. Write it with save_to_disk again.") from error
    files: dict[str, tuple[Path, ...]] = {}
    unused = []
    # Exact names come first: of splits called `validation` and `dev`, the second is not used.
    for name in sorted(names, key=lambda name: SPLIT_OF.get(name) != name):
        split = SPLIT_OF.get(name)
        arrows = None if split is None or split in files else arrow_files(folder / name)
        if split is None or arrows is None:
            unused.append(name)
        else:
            files[split] = tuple(arrows)
    if "train" not in files and needs_train:
        raise DataError(
            f"{folder} has no train split: it has {listed(names, _MAX_FILES) or 'none'}. Name one of them train."
        )
    notes = [f"Splits that are not used: {listed(unused, _MAX_FILES)}."] if unused else []
    return files, notes


def _checked(
    folder: Path, files: Mapping[str, tuple[Path, ...]], notes: Iterable[str], *, needs_train: bool
) -> SplitFiles:
    """Return the files in the order of the splits.

    Raises:
        DataError: If there is no train split, or a split without files.
    """
    if not files.get("train") and (needs_train or not any(files.values())):
        names = [entry.name for entry in sorted(folder.iterdir())]
        raise DataError(
            f"{folder} has no train file: it has {listed(names, _MAX_FILES) or 'nothing'}. "
            f"Put train, validation and test files in it ({', '.join(SUFFIXES)})."
        )
    return SplitFiles(
        by_split={split: files[split] for split in SPLIT_NAMES if files.get(split)}, notes=tuple(dict.fromkeys(notes))
    )
