"""Tests of metrics of predicted classes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn import metrics

from drawn_examples import drawn
from freezebench.scoring.confusion import (
    ACCURACY,
    BALANCED_ACCURACY,
    F1,
    MACRO_F1,
    MCC,
    MICRO_F1,
    QUADRATIC_KAPPA,
)
from freezebench.scoring.examples import Examples


def classified(labels: list[int], predictions: list[int], num_classes: int) -> Examples:
    """Return examples of a classification."""
    return Examples(
        task="sequence-classification",
        labels=np.array(labels),
        predictions=np.array(predictions),
        scores=None,
        label_names=tuple("abcdefgh"[:num_classes]),
    )


def test_values_are_those_of_scikit_learn() -> None:
    """By the functions that their sources name."""
    examples = drawn("sequence-classification", 1, 40)
    labels, predictions = examples.labels, examples.predictions
    assert ACCURACY.value(examples) == pytest.approx(metrics.accuracy_score(labels, predictions))
    assert BALANCED_ACCURACY.value(examples) == metrics.balanced_accuracy_score(labels, predictions)
    assert MACRO_F1.value(examples) == metrics.f1_score(labels, predictions, average="macro")
    assert MCC.value(examples) == metrics.matthews_corrcoef(labels, predictions)
    assert QUADRATIC_KAPPA.value(examples) == metrics.cohen_kappa_score(labels, predictions, weights="quadratic")
    binary = drawn("sequence-classification", 1, 40, num_classes=2)
    assert F1.value(binary) == metrics.f1_score(binary.labels, binary.predictions)


def test_values_of_several_labels() -> None:
    """Accuracy counts an example if all its labels are right."""
    examples = drawn("multi-label", 2, 40)
    assert ACCURACY.value(examples) == pytest.approx(metrics.accuracy_score(examples.labels, examples.predictions))
    assert ACCURACY.value(examples) < (examples.labels == examples.predictions).mean()
    assert MACRO_F1.value(examples) == metrics.f1_score(examples.labels, examples.predictions, average="macro")
    assert MICRO_F1.value(examples) == metrics.f1_score(examples.labels, examples.predictions, average="micro")


def test_accuracy_of_words_is_the_share_of_words() -> None:
    """A sentence contributes by its words, so that long sentences count more."""
    examples = Examples(
        task="token-classification",
        labels=np.array([0, 1, 2, 0, 1]),
        predictions=np.array([0, 1, 1, 0, 0]),
        scores=None,
        label_names=("O", "B-PER", "I-PER"),
        lengths=np.array([4, 1]),
    )
    assert ACCURACY.value(examples) == pytest.approx(3 / 5)
    assert ACCURACY.contributions is not None
    # 2 / 5 · (3 - 4 · 0.6) above the accuracy, and 2 / 5 · (0 - 1 · 0.6) below it.
    assert ACCURACY.contributions(examples) == pytest.approx([0.84, 0.36])


def test_a_class_that_nothing_has_counts_zero() -> None:
    """Macro F1 is the mean over all classes of the data, so that it does not rise when a class disappears."""
    examples = classified([0, 0, 1], [0, 0, 1], 3)
    assert MACRO_F1.value(examples) == pytest.approx(2 / 3)
    assert MACRO_F1.leave_one_out is not None
    assert MACRO_F1.leave_one_out(examples) == pytest.approx([2 / 3, 2 / 3, 1 / 3])


def test_one_class_predicted_throughout() -> None:
    """It is no correlation, and no warning of scikit-learn is shown."""
    examples = classified([0, 1, 2, 1], [1, 1, 1, 1], 3)
    assert MCC.value(examples) == 0
    assert BALANCED_ACCURACY.value(examples) == pytest.approx(1 / 3)


def test_accuracy_does_not_import_scikit_learn() -> None:
    """Its import costs a second, and the usual metric does not need it."""
    code = (
        "import sys, numpy\n"
        "from freezebench.scoring.metrics import ACCURACY\n"
        "from freezebench.scoring.examples import Examples\n"
        "from freezebench.scoring.outcomes import outcomes\n"
        "labels = numpy.array([0, 1])\n"
        "examples = Examples(task='sequence-classification', labels=labels, predictions=labels, scores=None,"
        " label_names=('a', 'b'))\n"
        "assert ACCURACY.value(examples) == outcomes(ACCURACY, examples).mean() == 1\n"
        "print(sorted({'sklearn', 'scipy', 'seqeval'} & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
