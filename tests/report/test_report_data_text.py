"""Data sets in words."""

from __future__ import annotations

from dataclasses import replace

import made_up
import made_up_tasks
from freezebench.records.data_facts import SplitFacts
from freezebench.report.data_text import (
    classes_text,
    data_warnings,
    dropped_text,
    label_counts,
    outputs_text,
    outputs_word,
    size_of_run,
    size_text,
    values_text,
)


def test_a_size_says_what_an_interval_counts() -> None:
    """Distinct texts where some repeat others, and groups by the name of their column."""
    facts = made_up.facts(400, num_distinct=120)
    assert size_text(facts, None) == "400 test sentences (120 distinct)"
    assert size_text(facts, "product") == "400 test sentences in 120 groups (product)"
    assert size_text(made_up.facts(400), "product", "sentences") == "400 sentences"
    run = made_up.record()
    grouped = replace(run, data=facts, spec=replace(run.spec, data=replace(run.spec.data, group_column="product")))
    assert size_of_run(grouped) == "400 test sentences in 120 groups (product)"


def test_a_task_has_classes_labels_or_a_number() -> None:
    """One of them, or several."""
    assert outputs_text(3, "sequence-classification") == "3 classes"
    assert outputs_text(1, "regression") == "1 number"
    assert outputs_text(5, "token-classification") == "5 classes of words"
    assert outputs_word("multi-label") == "labels"


def test_numbers_have_their_mean_spread_and_range() -> None:
    """An error of a rating means nothing without them."""
    assert values_text((1.0, 2.0, 3.0)) == "mean 2, standard deviation 0.816, 1 to 3"
    assert values_text(()) == "none"


def test_dropped_rows_are_counted_by_split_and_kind() -> None:
    """None where nothing was dropped."""
    facts = made_up.facts(10)
    assert dropped_text(facts) is None
    dropped = replace(facts, dropped_rows={"train": {"no_text": 2, "bad_label": 1, "unreadable": 0}, "test": {}})
    assert dropped_text(dropped) == "train: 2 without a text, 1 with a bad label"


def test_labels_are_counted_by_task() -> None:
    """Sentences of a class, sentences with a label, words of a tag."""
    for task in ("sequence-classification", "multi-label", "token-classification"):
        data = made_up_tasks.run(task, num_test=50).data
        assert data is not None
        counts = label_counts(data, data.of_test_set())
        assert len(counts) == len(data.label_names)
        assert sum(counts) == (sum(data.test_labels) if task == "multi-label" else len(data.test_labels))


def test_classes_have_their_numbers_of_examples_in_all_splits() -> None:
    """Old records have no statistics of splits, and numbers have no classes."""
    split = SplitFacts(class_counts=(600, 20), word_counts=(), num_in_train=0, num_repeated=0)
    facts = replace(made_up.facts(400), label_names=("good", "bad"), splits={"train": split, "test": split})
    assert classes_text(facts) == "2 classes (good 1,200, bad 40)"
    assert classes_text(replace(facts, splits=None)) == "2 classes"
    assert classes_text(replace(facts, task="regression", label_names=("stars",))) == "1 number"


def test_what_may_make_a_comparison_worthless_is_said_first() -> None:
    """Leakage and doubtful classes, of further test sets, too."""
    notes = ("Leakage: 2 of 3 test examples.", "Repeats: 2.", "Classes to check: n/a.", "Labels to check: a.")
    further = made_up_tasks.further_set("regression", "x", notes=("Leakage: 1 of x.",))
    facts = replace(made_up.facts(10), notes=notes, test_sets=(further,))
    assert data_warnings(facts) == [notes[0], *notes[2:], "Leakage: 1 of x."]
