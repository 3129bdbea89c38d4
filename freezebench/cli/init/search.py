"""Checkpoints and data sets in a project's folders, as those that read them accept them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.data.files import split_files
from freezebench.errors import DataError, ModelError
from freezebench.escaping import visible
from freezebench.models import checkpoint
from freezebench.models.file_checks import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator

# A folder of a project is found this deep, such as models/sentiment/best.
_MAX_DEPTH = 4
_MAX_FOLDERS = 5_000
_NO_PROJECT = {"node_modules", "__pycache__", "site-packages", "build", "dist"}
_ENVIRONMENT = "pyvenv.cfg"
# A file of another ending, such as .json or .txt, is data only where its name is that of a split.
_SINGLE_FILES = (".csv", ".tsv", ".jsonl", ".parquet", ".conll", ".bio")
_SAVED = ("dataset_dict.json", "state.json")  # of ``save_to_disk``


@dataclass(kw_only=True)
class Sources:
    """What a project's folders hold.

    Attributes:
        models: Checkpoints that can be trained.
        refused_models: Why others cannot, by folder.
        data: Folders of splits, and single files.
    """

    models: list[Path] = field(default_factory=list)
    refused_models: dict[Path, str] = field(default_factory=dict)
    data: list[Path] = field(default_factory=list)


def find_sources(root: Path) -> Sources:
    """Return the checkpoints and data sets below a folder, in the order of their names."""
    sources = Sources()
    for folder, inner, files in project_folders(root):
        if _is_checkpoint(folder, files):
            # What is inside of a checkpoint is an earlier state of it, or belongs to it.
            inner.clear()
            try:
                checkpoint.check_folder(folder, str(folder))
            except ModelError as error:
                sources.refused_models[folder] = str(error)
            else:
                sources.models.append(folder)
        elif _has_splits(folder, files):
            sources.data.append(folder)
            if any(name in files for name in _SAVED):
                inner.clear()
        else:
            sources.data += [folder / name for name in files if Path(name).suffix.lower() in _SINGLE_FILES]
    return sources


def project_folders(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield folders with the names of the folders and files in them; hidden ones are left out."""
    for path, inner, files in islice(os.walk(root), _MAX_FOLDERS):
        folder = Path(path)
        depth = len(folder.relative_to(root).parts)
        inner[:] = sorted(name for name in inner if depth < _MAX_DEPTH and _is_searched(folder / name))
        # A name that cannot be shown cannot be written into a test, either.
        yield folder, inner, sorted(name for name in files if name == visible(name))


def _is_searched(folder: Path) -> bool:
    name = folder.name
    is_own = not name.startswith(".") and name not in _NO_PROJECT and name == visible(name)
    return is_own and not (folder / _ENVIRONMENT).exists()


def _is_checkpoint(folder: Path, files: list[str]) -> bool:
    """Return whether a folder has the configuration of a model of transformers: other programs use that name, too."""
    if checkpoint.CONFIG not in files:
        return False
    try:
        return "model_type" in read_object(folder / checkpoint.CONFIG, str(folder))
    except ModelError:
        return False


def _has_splits(folder: Path, files: list[str]) -> bool:
    """Return whether a folder itself has a train file, or is what ``save_to_disk`` wrote."""
    try:
        paths = split_files(folder).by_split["train"]
    except (DataError, OSError):
        return False
    return any(name in files for name in _SAVED) or all(path.parent == folder for path in paths)
