"""Text data for classification: read from wherever it is, checked, split, and described in notes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from freezebench.data.files import SPLIT_NAMES, read_local
from freezebench.data.formats import SUFFIXES
from freezebench.data.labels import read_labels, without_withheld
from freezebench.data.parts import Part, overlaps, with_all_splits, with_max_train
from freezebench.data.table import LABEL_TEXT_COLUMN, Table, read_texts
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.specs.run import DataSpec

GENERATED = "generated"
GENERATED_SIZES: Mapping[Literal["train", "validation", "test"], int] = {"train": 800, "validation": 250, "test": 1000}

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(:[^@/]+)?(@[^@]+)?", re.ASCII)
_TEXT_COLUMNS = (1, 2)


@dataclass(frozen=True, kw_only=True)
class Split:
    """The examples of one split.

    Attributes:
        texts: Per example its text, or its two texts.
        labels: Class number of every example, from 0.
        sha256: Content hash of texts and labels in their order, 64 hexadecimal digits.
    """

    texts: tuple[tuple[str, ...], ...] = field(repr=False)
    labels: tuple[int, ...] = field(repr=False)
    sha256: str

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_examples(self) -> int:
        """Number of examples."""
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class TextData:
    """A data set for text classification.

    Attributes:
        source: Where it comes from, as it was asked for.
        train: What is trained on.
        validation: What the best epoch is chosen on.
        test: What verdicts rest on.
        label_names: Name of every class.
        notes: What was done to the data on the way, in sentences.
        generated: Whether the sentences were made by freezebench's own grammar.
    """

    source: str
    train: Split
    validation: Split
    test: Split
    label_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    generated: bool = False

    @property
    def num_labels(self) -> int:
        """Number of classes."""
        return len(self.label_names)

    @property
    def num_examples(self) -> dict[str, int]:
        """Number of examples by split."""
        return {name: len(getattr(self, name)) for name in SPLIT_NAMES}


def load_data(spec: DataSpec, *, label_names: Sequence[str] | None = None) -> TextData:
    """Return the data set that a spec names.

    Local files and generated sentences are read without touching the network; torch is not imported.

    Args:
        spec: What to read.
        label_names: The model's class names (``id2label``), to which labels that are strings are matched.

    Raises:
        DataError: If the data set is missing, unreadable, or unfit for classification.
    """
    _check_columns(spec)
    tables, notes = _read(spec)
    if spec.split_rule == "notebook":
        tables, more = _notebook_tables(spec, tables)
        notes += more
    texts = {split: read_texts(table, spec.text_columns) for split, table in tables.items()}
    labels = read_labels(tables, spec.label_column, label_names)
    parts = {split: Part(texts=texts[split], labels=labels.numbers[split]) for split in tables}
    notes += labels.notes
    for step in (with_all_splits, with_max_train):
        parts, more = step(spec, parts)
        notes += more
    return TextData(
        source=spec.source,
        **{split: _split(part) for split, part in parts.items()},
        label_names=labels.names,
        notes=(*notes, *overlaps(parts)),
        generated=spec.source == GENERATED,
    )


def _check_columns(spec: DataSpec) -> None:
    columns = (*spec.text_columns, spec.label_column)
    if len(spec.text_columns) not in _TEXT_COLUMNS:
        raise DataError(
            f"{len(spec.text_columns)} text columns were named: one or two can be encoded. Set --freeze-text-column."
        )
    if len(set(columns)) < len(columns):
        raise DataError(
            f"a column stands twice among {', '.join(columns)} (texts, then label). "
            "Name different ones with --freeze-text-column and --freeze-label-column."
        )


def _read(spec: DataSpec) -> tuple[dict[str, Table], tuple[str, ...]]:
    """Return tables by split, and notes."""
    if spec.source == GENERATED:
        return _generated(spec), ()
    wanted = tuple(dict.fromkeys([*spec.text_columns, spec.label_column, LABEL_TEXT_COLUMN]))
    try:
        path = Path(spec.source or "\0").expanduser()  # an empty source would be the current folder
        if path.exists():
            return read_local(path, wanted), ()
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"cannot look up {spec.source!r}: {error}. Give a path that exists.") from error
    is_path = spec.source.startswith((".", "~", "/")) or path.suffix.lower() in SUFFIXES or path.is_symlink()
    if is_path or not _HUB_NAME.fullmatch(spec.source):
        raise DataError(
            f"there is no file or folder {spec.source!r} (looked in {Path.cwd()}). Give a folder with train, "
            f"validation and test files ({', '.join(SUFFIXES)}), one such file, a Hub data set, or {GENERATED!r}."
        )
    from freezebench.data.hub import read_hub

    tables, notes = read_hub(spec.source, wanted)
    labelled, more = without_withheld(tables, spec.label_column)
    return labelled, (*notes, *more)


def _generated(spec: DataSpec) -> dict[str, Table]:
    """Return freezebench's own sentences as tables; their columns answer to whatever names were asked for."""
    from freezebench.data.sentences import generate_split

    if len(spec.text_columns) > 1:
        raise DataError("generated sentences come one by one, not in pairs. Name one text column.")
    tables: dict[str, Table] = {}
    for split, size in GENERATED_SIZES.items():
        examples = generate_split(split, num_sentences=size, seed=spec.split_seed)
        texts, labels = zip(*examples, strict=True)
        columns = {spec.text_columns[0]: texts, spec.label_column: labels}
        tables[split] = Table(
            name=f"generated {split} sentences",
            columns=columns,
            available=tuple(columns),
            num_rows=size,
            class_names=("negative", "positive"),
        )
    return tables


def _notebook_tables(spec: DataSpec, tables: dict[str, Table]) -> tuple[dict[str, Table], tuple[str, ...]]:
    """Return the tables without validation, which the notebook ignores.

    Raises:
        DataError: If there is no test split to halve.
    """
    if "test" not in tables:
        raise DataError(f"{spec.source} has no test split, which the notebook's split halves. Give one.")
    ignored = tables.get("validation")
    note = f"The {ignored.num_rows} validation examples are ignored, as in the notebook." if ignored else None
    kept = {split: table for split, table in tables.items() if split != "validation"}
    return kept, (note,) if note else ()


def _split(part: Part) -> Split:
    """Return a part with its content hash."""
    digest = hashlib.sha256()
    for texts, label in zip(part.texts, part.labels, strict=True):
        digest.update(json.dumps([*texts, label]).encode() + b"\n")
    return Split(texts=part.texts, labels=part.labels, sha256=digest.hexdigest())
