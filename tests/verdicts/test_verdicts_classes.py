"""Recall, macro F1, and classes that are never predicted."""

from __future__ import annotations

import pytest
from sklearn.metrics import f1_score, recall_score

import made_up
from freezebench.verdicts.classes import joined, lost_class_sentence, macro_f1, majority_class, only_class, recall

LABELS = [0] * 20 + [1] * 12 + [2] * 8
PREDICTIONS = [0] * 15 + [1] * 10 + [2] * 5 + [0] * 10


def test_recall_and_macro_f1_are_those_of_scikit_learn() -> None:
    """The mean over runs of one test set; runs that are alike have the figure of one."""
    names = made_up.three_classes("none", (0, 1, 2))[0].data
    records = made_up.predicting("none", LABELS, PREDICTIONS, data=names)
    expected = recall_score(LABELS, PREDICTIONS, average=None)
    assert [recall(records, label) for label in range(3)] == pytest.approx(list(expected))
    assert macro_f1(records) == pytest.approx(f1_score(LABELS, PREDICTIONS, average="macro"))
    assert macro_f1([]) is None
    assert recall(records, 3) is None


def test_the_majority_class_is_the_most_frequent_one() -> None:
    """Of several the first."""
    data = made_up.lopsided("none", 1)[0].data
    assert data is not None
    assert majority_class(data) == 0
    even = made_up.record().data
    assert even is not None
    assert majority_class(even) == 0


def test_a_class_is_lost_if_no_seed_predicts_it() -> None:
    """One seed that predicts it suffices, be it wrong."""
    baseline, records = made_up.three_classes("none", (0, 1, 2)), made_up.three_classes("emb", (0, 1))
    assert lost_class_sentence(records, baseline, alpha=0.05) is not None
    found = [*records[:2], made_up.three_classes("emb", (0, 1, 2))[2]]
    assert lost_class_sentence(found, baseline, alpha=0.05) is None
    # What the unfrozen runs do not recognise is not lost by freezing.
    assert lost_class_sentence(records, made_up.three_classes("none", (0, 1)), alpha=0.05) is None


def test_a_class_is_lost_if_hardly_any_of_its_sentences_are_recognised() -> None:
    """One right answer among a thousand sentences is no more than none; a fifth of the class is kept."""
    labels = [1] * 30 + [0] * 970
    sound = made_up.predicting("none", labels, [1] * 27 + [0] * 973)
    for num_found, is_lost in ((1, True), (2, True), (6, False)):
        candidate = made_up.predicting("emb", labels, [1] * num_found + [0] * (1000 - num_found))
        assert (lost_class_sentence(candidate, sound, alpha=0.05) is not None) == is_lost
    # Predicted, but for the sentences of the other class alone.
    elsewhere = made_up.predicting("emb", labels, [0] * 999 + [1])
    assert (
        lost_class_sentence(elsewhere, sound, alpha=0.05)
        == "hardly recognised: class positive (recall 0.0 %, without freezing 90 %)"
    )


def test_only_class_of_a_run() -> None:
    """A run that predicts several has none."""
    assert only_class(made_up.one_class("none")) == 0
    assert only_class(made_up.record()) is None
    assert only_class(made_up.broken("none")) is None


def test_lists_in_sentences() -> None:
    """The last item after ``and``."""
    assert [joined([42]), joined([42, 43]), joined([42, 43, 44])] == ["42", "42 and 43", "42, 43 and 44"]
