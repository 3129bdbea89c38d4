"""Notes on names of classes or labels that may be none: by their spelling, or since they are rare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.data.label_lists import SEPARATORS, joined_classes
from freezebench.data.missing_labels import is_no_number
from freezebench.data.values import short
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.records.data_facts import SplitFacts
    from freezebench.specs.data import DataSpec
    from freezebench.specs.names import TaskName

# A class is rare below this share of the examples; of many classes, below a part of the share that all would have.
_RARE, _RARE_PART = 0.02, 0.2
_MOST_NAMED = 8
_WORDS: dict[TaskName, tuple[str, str]] = {
    "sequence-classification": ("Classes", "class"),
    "multi-label": ("Labels", "label"),
}


def separator_notes(separator: str | None, names: Sequence[str]) -> tuple[str, ...]:
    """Return notes on what separated labels in texts, and on labels in which another separator is left."""
    if separator is None:
        return ()
    others = [name for name in names if any(other in name for other in SEPARATORS)]
    note = f"Labels were separated at {separator!r}."
    if not others:
        return (note,)
    check = (
        f"Labels to check: {listed(others, _MOST_NAMED, short)}: with another separator than {separator!r}. Write one "
        "separator throughout if these are several labels."
    )
    return note, check


def class_notes(spec: DataSpec, label_names: Sequence[str], facts: Iterable[SplitFacts], task: TaskName) -> list[str]:
    """Return notes on classes that may be none, or several labels; alike on labels.

    Args:
        spec: Says whether the task was stated.
        label_names: Name of every class or label.
        facts: Those of the splits.
        task: What is learned.
    """
    if task not in _WORDS:
        return []
    several, one = _WORDS[task]
    splits = list(facts)
    counts = [sum(of_class) for of_class in zip(*(split.class_counts for split in splits), strict=True)]
    total, notes = sum(sum(split.word_counts) for split in splits), []
    most = min(_RARE, _RARE_PART / len(label_names))
    texts = [f"{name} ({num:,} of {total:,} examples)" for name, num in zip(label_names, counts, strict=True)]
    unnamed = [text for text, name in zip(texts, label_names, strict=True) if is_no_number(name)]
    rare = [text for text, num in zip(texts, counts, strict=True) if num < most * total and text not in unnamed]
    joined = joined_classes(label_names) if task == "sequence-classification" and spec.task is None else None
    if joined is not None:
        # Joined classes are many, so that most of them are rare.
        return [_joined_note(*joined, len(label_names))]
    if unnamed:
        stands = "a missing label. Remove these rows" if one == "class" else "none. Write [] in its place"
        notes.append(
            f"{listed(unnamed, _MOST_NAMED)} became a {one}, and mostly such a name stands for {stands} if it does."
        )
    if alike := _alike(label_names):
        notes.append(
            f"{listed(alike, _MOST_NAMED)} differ only in case or white space. Write them alike if they are one {one}."
        )
    if rare:
        notes.append(
            f"{listed(rare, _MOST_NAMED)}: below {100 * most:.2g} %. Correct the labels if they are misspelt; a {one} "
            "this rare can hardly be judged."
        )
    return [f"{several} to check: {note}" for note in notes]


def _joined_note(separator: str, joined: Sequence[str], num_classes: int) -> str:
    return (
        f"Classes to check: {len(joined)} of {num_classes} look like lists of labels with {separator!r} between, such "
        f"as {short(joined[0])}. If a text may have several labels, use --freeze-task=multi-label."
    )


def _alike(names: Sequence[str]) -> list[str]:
    """Return the names that differ from others only in case or white space, together: ``'Sad' and 'sad'``."""
    by_key: dict[str, list[str]] = {}
    for name in names:
        by_key.setdefault(" ".join(name.casefold().split()), []).append(short(name))
    return [" and ".join(own) for own in by_key.values() if len(own) > 1]
