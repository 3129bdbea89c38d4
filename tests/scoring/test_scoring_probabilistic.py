"""Tests of metrics of scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn import metrics

from drawn_examples import drawn
from freezebench.errors import RecordError
from freezebench.scoring.examples import Examples
from freezebench.scoring.probabilistic import AUROC, ECE, LOG_LOSS


def scored(labels: list[int], scores: list[list[float]]) -> Examples:
    """Return examples of a classification with these logits."""
    logits = np.array(scores, dtype=np.float32)
    return Examples(
        task="sequence-classification",
        labels=np.array(labels),
        predictions=logits.argmax(axis=1),
        scores=logits,
        label_names=tuple("abc"[: logits.shape[1]]),
    )


def test_values_of_two_classes() -> None:
    """AUROC ranks by the difference of both logits, and log loss is the cross-entropy in nats."""
    examples = drawn("sequence-classification", 3, 60, num_classes=2)
    probabilities = softmax(examples.required_scores, axis=1)
    assert AUROC.value(examples) == pytest.approx(metrics.roc_auc_score(examples.labels, probabilities[:, 1]))
    assert LOG_LOSS.value(examples) == pytest.approx(metrics.log_loss(examples.labels, probabilities))


def test_auroc_of_more_classes_is_the_mean_of_each_against_the_others() -> None:
    """As scikit-learn has it."""
    examples = drawn("sequence-classification", 3, 60)
    probabilities = softmax(examples.required_scores, axis=1)
    expected = metrics.roc_auc_score(examples.labels, probabilities, multi_class="ovr")
    assert AUROC.value(examples) == pytest.approx(expected)


def test_values_of_several_labels() -> None:
    """Each label has its own AUROC and log loss, and the metric is their mean."""
    examples = drawn("multi-label", 3, 60)
    probabilities = expit(examples.required_scores)
    assert AUROC.value(examples) == pytest.approx(metrics.roc_auc_score(examples.labels, probabilities))
    losses = [metrics.log_loss(examples.labels[:, label], probabilities[:, label]) for label in range(3)]
    assert LOG_LOSS.value(examples) == pytest.approx(np.mean(losses))


def test_a_class_without_examples_has_no_auroc() -> None:
    """It is the mean of the classes that have one, and not a number if none has."""
    three = scored([0, 0, 1, 1], [[2, 1, 0], [1, 0, 0], [0, 2, 0], [1, 1, 3]])
    assert AUROC.value(three) == pytest.approx((1 + 0.5) / 2)
    assert np.isnan(AUROC.value(scored([1, 1], [[0, 1], [1, 0]])))
    assert AUROC.leave_one_out is not None
    only = AUROC.leave_one_out(scored([0, 0, 1], [[0, 1], [1, 0], [0, 2]]))
    assert np.isnan(only).tolist() == [False, False, True]


def test_calibration_error_by_hand() -> None:
    """Two bins: one of confidence 0.5 with half of it right, and one of 0.88 with none right."""
    examples = scored([0, 1, 1], [[0, 0], [0, 0], [2, 0]])
    assert ECE.value(examples) == pytest.approx(softmax([2, 0])[0] / 3)


def test_an_infinite_loss_is_cut() -> None:
    """A wrong prediction of any confidence has a finite loss, that of scikit-learn's smallest probability."""
    examples = scored([1, 0], [[1000, 0], [1, 0]])
    assert LOG_LOSS.value(examples) == pytest.approx((-np.log(np.finfo(float).eps) + np.log1p(np.exp(-1))) / 2)


def test_scores_that_were_not_recorded_are_refused() -> None:
    """As in records of earlier versions, which hold predictions alone."""
    examples = replace(drawn("sequence-classification", 0), scores=None)
    with pytest.raises(RecordError, match=r"needs scores.*or choose a metric of predictions, such as macro-f1"):
        AUROC.value(examples)
