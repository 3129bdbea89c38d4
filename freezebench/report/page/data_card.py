"""The data of an experiment on its page: source, classes or numbers, splits, further test sets, leakage, lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.records.run_record import data_of
from freezebench.report.data_text import (
    dropped_text,
    label_counts,
    outputs_word,
    share_texts,
    size_text,
    slice_sizes,
    values_text,
)
from freezebench.report.experiment import subsettings
from freezebench.report.page.histogram import histogram
from freezebench.report.page.markup import Html, bullets, data_table, definitions, element, joined, section
from freezebench.report.summary import DATA_NOTE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from freezebench.records.data_facts import DataFacts, SetFacts
    from freezebench.report.experiment import Experiment

_SPLITS = ("train", "validation", "test")
_NOT_RECORDED = "not recorded by the version of freezebench that trained these runs; train again to have it"
_SPLIT_TITLES = {"regression": "Splits", "multi-label": "Splits and their labels"}
_BALANCE = {
    "sequence-classification": "Share of every class in the split.",
    "regression": "Sizes of the splits.",
    "multi-label": "Share of the sentences of the split that have a label.",
    "token-classification": "Share of every class among the words of the split.",
}


def data_card(experiment: Experiment) -> Html:
    """Return the data card."""
    facts = data_of(experiment.records)
    source = experiment.data_source
    if facts is None:
        return section("Data", element("p", f"{source}: nothing is known about it, since no run was finished."))
    data = subsettings(experiment.settings, "data")
    group_column, slice_column = data.get("group_column"), data.get("slice_column")
    pairs = [
        ("source", source),
        (outputs_word(facts.task), _outputs(facts)),
        *_units(facts, None if group_column is None else str(group_column)),
        *_slices(facts, str(slice_column)),
        ("leakage", _leakage(facts)),
    ]
    dropped = dropped_text(facts)
    pairs += [] if dropped is None else [("rows left out", dropped)]
    return section(
        "Data",
        definitions(pairs),
        element("h3", _SPLIT_TITLES.get(facts.task, "Splits and class balance")),
        _balance(facts),
        _test_sets(facts, experiment.summary.lines),
        element("h3", "Length of the sentences"),
        _lengths(facts),
        bullets(notes) if (notes := _notes(experiment, facts)) else None,
        class_="card",
    )


def _notes(experiment: Experiment, facts: DataFacts) -> list[str]:
    """Return the notes on the data set; those that change how every figure is read are among the footnotes."""
    sentences = (*experiment.summary.lines, *experiment.summary.notes)
    notes = [note.removeprefix(DATA_NOTE) for note in sentences if note.startswith(DATA_NOTE)]
    of_sets = [note for item in facts.test_sets for note in item.notes]
    return [note for note in notes if note not in of_sets]


def _outputs(facts: DataFacts) -> str:
    """Return the names of classes or labels; in regression the column, and how its numbers are distributed."""
    names = ", ".join(facts.label_names)
    return f"{names} in the test split: {values_text(facts.test_values or ())}" if facts.task == "regression" else names


def _units(facts: DataFacts, group_column: str | None) -> list[tuple[str, str]]:
    """Return what intervals count, where sentences form groups by a column."""
    return [] if group_column is None else [("groups", size_text(facts, group_column))]


def _slices(facts: DataFacts, column: str) -> list[tuple[str, str]]:
    """Return the slices of the test split with their sizes; nothing where it has none."""
    sizes = slice_sizes(facts)
    return [(f"slices by {column}", ", ".join(sizes))] if sizes else []


def _leakage(facts: DataFacts) -> str:
    """Return how many sentences of validation and test are also in the training split."""
    if facts.splits is None:
        return _NOT_RECORDED
    parts = []
    for split in ("test", "validation"):
        total = getattr(facts, f"num_{split}")
        parts.append(f"{facts.splits[split].num_in_train} of {total:,} {split} sentences also occur in train")
    repeated = " and ".join(f"{facts.splits[split].num_repeated} {split}" for split in ("train", "test"))
    return f"{'; '.join(parts)}; {repeated} sentences repeat another one (white space and case aside)"


def _balance(facts: DataFacts) -> Html:
    """Return sizes, shares of the classes and hashes of the splits."""
    rows = []
    for split in _SPLITS:
        size = getattr(facts, f"num_{split}")
        rows.append([split, f"{size:,}", *_shares(facts, split), getattr(facts, f"{split}_sha256")[:12]])
    note = _BALANCE[facts.task]
    if facts.splits is None:
        note += f" Balance of train and validation: {_NOT_RECORDED}."
    return data_table(note, ["split", "sentences", *_class_names(facts), "SHA-256"], rows)


def _class_names(facts: DataFacts) -> tuple[str, ...]:
    return () if facts.task == "regression" else facts.label_names


def _shares(facts: DataFacts, split: str) -> list[str]:
    """Return the share of every class in a split."""
    names = _class_names(facts)
    if facts.splits is not None:
        counts: Sequence[int] = facts.splits[split].class_counts
    elif split == "test":
        counts = label_counts(facts, facts.of_test_set())
    else:
        return ["–"] * len(names)
    return share_texts(facts, counts, getattr(facts, f"num_{split}")) if names else []


def _test_sets(facts: DataFacts, footnotes: Collection[str]) -> Html | None:
    """Return the further test sets with notes on them that are no footnotes; ``None`` where there are none."""
    if not facts.test_sets:
        return None
    rows = [[item.name, item.source, f"{item.num_test:,}", *_of_set(facts, item)] for item in facts.test_sets]
    headers = ["test set", "source", "sentences", *_class_names(facts), "SHA-256"]
    notes = [f"{item.name}: {note}" for item in facts.test_sets for note in item.notes if note not in footnotes]
    table = data_table("Every run is evaluated on these test sets, and no run trains on them.", headers, rows)
    return joined([element("h3", "Further test sets"), table, bullets(notes) if notes else None])


def _of_set(facts: DataFacts, item: SetFacts) -> list[str]:
    """Return the shares of the classes and the hash of a further test set."""
    shares = [] if facts.task == "regression" else share_texts(facts, label_counts(facts, item), item.num_test)
    return [*shares, item.test_sha256[:12]]


def _lengths(facts: DataFacts) -> Html:
    """Return the histogram of words per sentence."""
    if facts.splits is None:
        return element("p", f"Length histogram: {_NOT_RECORDED}.")
    return histogram(facts.splits["train"].word_counts, "words per training sentence")
