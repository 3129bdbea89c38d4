"""Tests of what runs recall of each class, label or type of entities."""

from __future__ import annotations

import numpy as np
import pytest
from seqeval.metrics import classification_report
from sklearn.metrics import recall_score

import made_up
import made_up_scores
from freezebench.records.evaluated import examples_of
from freezebench.verdicts.class_recalls import missed_classes_warning, recalled


def test_recalls_of_classes_are_those_of_scikit_learn() -> None:
    """Means over runs; repeated texts stay together."""
    groups = tuple(range(150)) * 2
    records = made_up_scores.runs("sequence-classification", num=2, test_groups=groups)
    classes = recalled(records)
    evaluated = [examples_of(record) for record in records]
    of_runs = [recall_score(run.labels, run.predictions, average=None) for run in evaluated]
    assert [own.recall for own in classes] == pytest.approx(np.mean(of_runs, axis=0).tolist())
    assert [own.text for own in classes] == ["class negative", "class neutral", "class positive"]
    labels = examples_of(records[0]).labels
    for label, own in enumerate(classes):
        assert own.groups is not None
        assert own.groups.tolist() == np.array(groups)[labels == label].tolist()


def test_a_class_that_the_test_set_lacks_is_left_out() -> None:
    """Nothing can be recalled of it."""
    classes = recalled(made_up_scores.runs("sequence-classification", num=1, shares=(0.5, 0.0, 0.5)))
    assert [own.name for own in classes] == ["negative", "positive"]


def test_recalls_of_labels_are_those_of_scikit_learn() -> None:
    """Sentences without a label are no items of it."""
    record = made_up_scores.runs("multi-label", num=1)[0]
    expected = recall_score(examples_of(record).labels, examples_of(record).predictions, average=None)
    assert [own.recall for own in recalled([record])] == pytest.approx(expected.tolist())
    assert recalled([record])[0].text == "label toxic"


def test_recalls_of_entities_are_those_of_seqeval() -> None:
    """An entity is recalled if its words and its type are; those of one sentence are of one unit."""
    record = made_up_scores.runs("token-classification", num=1, noise=1.0)[0]
    evaluated = examples_of(record)
    assert evaluated.lengths is not None
    ends = np.cumsum(evaluated.lengths)[:-1]
    tags = [
        [np.array(evaluated.label_names)[part].tolist() for part in np.split(rows, ends)]
        for rows in (evaluated.labels, evaluated.predictions)
    ]
    report = classification_report(*tags, output_dict=True)
    classes = recalled([record])
    assert {own.name: own.recall for own in classes} == {
        name: pytest.approx(report[name]["recall"]) for name in ("LOC", "PER")
    }
    assert classes[0].text == "entities LOC"
    persons = classes[1]
    assert persons.groups is not None
    # Sentences of eight words have two persons.
    assert np.bincount(persons.groups).tolist() == [1 + int(length == 8) for length in evaluated.lengths]


def test_words_have_classes_where_tags_are_not_those_of_entities() -> None:
    """Parts of speech are counted word by word."""
    names = ("NOUN", "VERB", "ADJ", "ADV", "DET")
    records = made_up_scores.runs("token-classification", num=1, label_names=names)
    evaluated = examples_of(records[0])
    expected = recall_score(evaluated.labels, evaluated.predictions, average=None, zero_division=0)
    labels = np.unique(evaluated.labels)
    classes = recalled(records)
    assert [own.name for own in classes] == [names[label] for label in labels]
    assert [own.recall for own in classes] == pytest.approx([expected[label] for label in labels])


def test_numbers_have_no_classes() -> None:
    """Nor have runs of which none read its data."""
    assert recalled(made_up_scores.runs("regression", num=1)) == []
    assert recalled([made_up.broken("none")]) == []


def test_classes_that_no_unfrozen_run_recalls_are_named() -> None:
    """One that some run finds at all can be lost."""
    assert missed_classes_warning(made_up.three_classes("none", (0, 1, 2))) is None
    assert missed_classes_warning(made_up.three_classes("none", (0, 1))) == (
        "without freezing, no run recognises any test example of class rare, so that a loss of it cannot be seen. "
        "Train for longer, at another rate, or on more examples of it."
    )
    both = missed_classes_warning(made_up.three_classes("none", (0,)))
    assert both is not None
    assert "of class positive, class rare, so that a loss of them cannot be seen. " in both
    found = [*made_up.three_classes("none", (0, 1))[:2], made_up.three_classes("none", (0, 1, 2))[2]]
    assert missed_classes_warning(found) is None
