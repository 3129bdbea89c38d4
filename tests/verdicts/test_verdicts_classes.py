"""Recall, macro F1, and classes that are never predicted."""

from __future__ import annotations

import pytest
from sklearn.metrics import f1_score, recall_score

import made_up
from freezebench.verdicts.classes import macro_f1, majority_class, only_class, recall

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


def test_only_class_of_a_run() -> None:
    """A run that predicts several has none."""
    assert only_class(made_up.one_class("none")) == 0
    assert only_class(made_up.record()) is None
    assert only_class(made_up.broken("none")) is None
