"""Facts of a data set that records keep: sizes, hashes, balance, lengths and overlaps, but no sentence."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from freezebench.data.groups import linked, slices_of
from freezebench.data.label_notes import class_notes
from freezebench.data.task import FURTHER
from freezebench.records.data_facts import DataFacts, SetFacts, SplitFacts
from freezebench.scoring.constant_loss import constant_loss
from freezebench.units import counted

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from freezebench.data.splits import Split, Splits
    from freezebench.specs.data import DataSpec, NamedSource

# The last bin of the histogram of words per example; longer examples count there.
_MAX_WORDS = 200
# Published data sets have a few copies in train; more of them change what is measured.
_MUCH_LEAKAGE = 0.01

_Key = tuple[str, ...]


def data_facts(
    spec: DataSpec,
    splits: Splits,
    label_names: Sequence[str],
    notes: Sequence[str],
    dropped_rows: dict[str, dict[str, int]] | None = None,
    *,
    test_sets: Mapping[str, Split] | None = None,
    test_notes: Mapping[str, Sequence[str]] | None = None,
) -> DataFacts:
    """Return the facts of a data set, with notes on examples that occur in more than one split.

    Args:
        spec: Names the columns of slices and groups, and the further test sets.
        splits: The data set.
        label_names: Name of every class.
        notes: What was done to the data, in sentences.
        dropped_rows: Number of rows that were left out, by split and kind.
        test_sets: The further test sets by name.
        test_notes: How they were read, in sentences.

    Raises:
        DataError: If a test set has too many slices.
    """
    by_name = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    # A test sentence that is also trained on makes the test easier, even if only its spelling differs.
    facts = {
        name: _split_facts(split, splits.train, len(label_names), is_train=name == "train")
        for name, split in by_name.items()
    }
    further = []
    for item in spec.test_sets:
        split = (test_sets or {})[item.name]
        set_notes = (test_notes or {}).get(f"{FURTHER}{item.name}", ())
        further.append(_set_facts(spec, item, split, splits.train, set_notes))
    own = _set_facts(spec, None, splits.test, splits.train, ())
    overlaps = [
        *_train_notes(facts["train"], splits),
        *class_notes(spec, label_names, facts.values(), splits.train.task),
    ]
    return DataFacts(
        num_train=len(splits.train),
        num_validation=len(splits.validation),
        num_test=own.num_test,
        train_sha256=splits.train.sha256,
        validation_sha256=splits.validation.sha256,
        test_sha256=own.test_sha256,
        test_labels=own.test_labels,
        label_names=tuple(label_names),
        notes=(*notes, *own.notes, *overlaps, *_contradiction_notes(by_name)),
        splits=facts,
        test_groups=own.test_groups,
        dropped_rows=dropped_rows,
        task=splits.train.task,
        test_values=own.test_values,
        test_lengths=own.test_lengths,
        test_slices=own.test_slices,
        slice_names=own.slice_names,
        test_sets=tuple(further),
    )


def _set_facts(spec: DataSpec, item: NamedSource | None, split: Split, train: Split, notes: Sequence[str]) -> SetFacts:
    """Return the facts of a further test set, or the own one, with notes on its units and on what is also in train."""
    called = f"the test set {item.name}" if item else "the test split"
    examples = f"examples of the test set {item.name}" if item else "test examples"
    slices, slice_names = slices_of(split.slices, spec.slice_column, called)
    units = split.units
    is_number, is_tagged = split.task == "regression", split.task == "token-classification"
    found = [
        _leakage_note(split, train, examples),
        _group_leakage_note(spec, split, train, called),
        _repeats_note(split, examples) if split.groups is None else _groups_note(spec, split, units, examples),
    ]
    return SetFacts(
        name=item.name if item else "",
        source=item.source if item else spec.source,
        num_test=len(split),
        test_sha256=split.sha256,
        test_labels=() if is_number else tuple(_flat(split)),
        test_values=split.labels if is_number else None,
        test_lengths=tuple(map(len, split.labels)) if is_tagged else None,
        test_groups=units if len(set(units)) < len(units) else None,
        test_slices=slices,
        slice_names=slice_names,
        notes=(*notes, *filter(None, found)),
    )


def _flat(split: Split) -> list[int]:
    """Return class numbers one after another: of every example, of its words, or 0 or 1 for each of its labels."""
    if split.task == "sequence-classification":
        return list(split.labels)
    return list(chain.from_iterable(split.labels))


def _split_facts(split: Split, train: Split, num_labels: int, *, is_train: bool) -> SplitFacts:
    """Return the facts of one split, compared with the texts that are trained on."""
    trained = frozenset() if is_train else train.distinct_keys
    lengths = Counter(min(sum(len(text.split()) for text in texts), _MAX_WORDS) for texts in split.texts)
    return SplitFacts(
        class_counts=_class_counts(split, num_labels),
        word_counts=tuple(lengths[length] for length in range(max(lengths, default=0) + 1)),
        num_in_train=sum(key in trained for key in split.keys),
        num_repeated=len(split) - len(split.distinct_keys),
        constant_loss=constant_loss(split.task, train.labels, split.labels),
    )


def _class_counts(split: Split, num_labels: int) -> tuple[int, ...]:
    """Return the number of examples of every class, of its words in token classification, or that have each label."""
    if split.task == "regression":
        return ()
    if split.task == "multi-label":
        return tuple(map(sum, zip(*split.labels, strict=True)))
    counts = Counter(_flat(split))
    return tuple(counts[label] for label in range(num_labels))


def _leakage_note(split: Split, train: Split, examples: str) -> str | None:
    count, size = sum(key in train.distinct_keys for key in split.keys), len(split)
    if not count:
        return None
    advice = (
        " Remove them from train: results on what was trained on are too good." if count / size > _MUCH_LEAKAGE else ""
    )
    return (
        f"Leakage: {count} of {size} {examples} ({100 * count / size:.1f} %) also occur in train, white space and "
        f"case aside.{advice}"
    )


def _group_leakage_note(spec: DataSpec, split: Split, train: Split, called: str) -> str | None:
    """Return a note on groups that have examples in train as well."""
    groups = set(split.groups or ()) - {None}
    shared = groups & set(train.groups or ())
    if not shared:
        return None
    return (
        f"Leakage of groups: {len(shared)} of {len(groups)} groups of {called} (column "
        f"{spec.group_column!r}) also have examples in train."
    )


def _repeats_note(split: Split, examples: str) -> str | None:
    """Return a note on test examples that repeat another one's text."""
    size, num_distinct = len(split), len(split.distinct_keys)
    if num_distinct == size:
        return None
    return (
        f"Repeats: {size - num_distinct} of {size} {examples} repeat another one's text, white space and case "
        f"aside. Intervals count the {num_distinct} distinct texts."
    )


def _groups_note(spec: DataSpec, split: Split, units: Sequence[int], examples: str) -> str:
    """Return a note on groups of test examples, which are joined where a text repeats in two of them."""
    num_groups, num_units = len(set(linked(split.groups or ()))), len(set(units))
    num_joined = num_groups - num_units
    joined = f", {num_joined} of them joined to others by a repeated text" if num_joined else ""
    missing = (split.groups or ()).count(None)
    are, each = ("is", "") if missing == 1 else ("are", " each")
    alone = f" {counted(missing, 'example')} without a group {are} a group{each}." if missing else ""
    return (
        f"Groups: the {len(units)} {examples} are of {counted(num_groups, 'group')} of column {spec.group_column!r}"
        f"{joined}.{alone} Intervals count the {counted(num_units, 'group')}."
    )


def _train_notes(train: SplitFacts, splits: Splits) -> list[str]:
    """Return notes on validation examples that are also trained on, and on repeated ones in train."""
    notes = [_leakage_note(splits.validation, splits.train, "validation examples")]
    if train.num_repeated:
        notes.append(f"{train.num_repeated} of {len(splits.train)} train examples repeat another one's text.")
    return list(filter(None, notes))


def _contradiction_notes(splits: Mapping[str, Split]) -> list[str]:
    """Return a note on every split in which one text has several labels."""
    notes = []
    for name, split in splits.items():
        labels: dict[_Key, set[Hashable]] = {}
        for key, label in zip(split.keys, split.labels, strict=True):
            labels.setdefault(key, set()).add(label)
        count = sum(len(own) > 1 for own in labels.values())
        if count:
            texts = "1 text has" if count == 1 else f"{count} texts have"
            notes.append(f"Contradictory labels: {texts} more than one label within {name}. Correct or remove them.")
    return notes
