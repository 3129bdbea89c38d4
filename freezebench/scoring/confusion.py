"""Metrics of predicted classes: accuracy, F1, the Matthews correlation and Cohen's kappa."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from freezebench.scoring.counts import balanced_accuracy, by_counts, matthews_correlation
from freezebench.scoring.few import (
    too_few_of_a_class,
    too_few_of_class_1,
    too_few_of_labels,
    too_few_of_others,
)
from freezebench.scoring.metric import Metric
from freezebench.scoring.moments import kappa_without_each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Values


@contextmanager
def undefined_is_silent() -> Iterator[None]:
    """Ignore warnings of scikit-learn and scipy on what the data do not define, such as the recall of no example."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _correct(examples: Examples) -> Values:
    """Return 1 for every example whose class, or whose every label, was predicted, and 0 for others.

    Of sentences with several words it is ``A + (n / W) (r - w A)``, for ``r`` of its ``w`` words that are right, all
    ``W`` words of ``n`` sentences, and their accuracy ``A``: the mean is the share of words, and the spread that of
    sentences, as of the ratio estimator for clusters of unequal size (Cochran 1977, Sampling Techniques, chapter 9).
    """
    is_right = examples.labels == examples.predictions
    if is_right.ndim > 1:
        is_right = is_right.all(axis=1)
    correct: Values = is_right.astype(float)
    if examples.lengths is None:
        return correct
    accuracy = correct.mean()
    right = np.bincount(np.repeat(np.arange(len(examples)), examples.lengths), correct, len(examples))
    contributions: Values = accuracy + (right - examples.lengths * accuracy) / examples.lengths.mean()
    return contributions


def _accuracy(examples: Examples) -> float:
    # Not by scikit-learn, whose import would cost a session of the default metric a second.
    return float(_correct(examples).mean())


def _balanced_accuracy(examples: Examples) -> float:
    from sklearn.metrics import balanced_accuracy_score

    with undefined_is_silent():
        return float(balanced_accuracy_score(examples.labels, examples.predictions))


def _f1(examples: Examples) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(examples.labels, examples.predictions, labels=[1], average="macro", zero_division=0))


def _macro_f1(examples: Examples) -> float:
    """Return the mean over all classes; a class that neither occurs nor is predicted counts 0."""
    from sklearn.metrics import f1_score

    classes = np.arange(len(examples.label_names))
    return float(f1_score(examples.labels, examples.predictions, labels=classes, average="macro", zero_division=0))


def _micro_f1(examples: Examples) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(examples.labels, examples.predictions, average="micro", zero_division=0))


def _mcc(examples: Examples) -> float:
    from sklearn.metrics import matthews_corrcoef

    with undefined_is_silent():
        return float(matthews_corrcoef(examples.labels, examples.predictions))


def _quadratic_kappa(examples: Examples) -> float:
    from sklearn.metrics import cohen_kappa_score

    classes = np.arange(len(examples.label_names))
    with undefined_is_silent():
        return float(cohen_kappa_score(examples.labels, examples.predictions, labels=classes, weights="quadratic"))


ACCURACY = Metric(
    name="accuracy",
    label="accuracy",
    tasks=("sequence-classification", "multi-label", "token-classification"),
    value=_accuracy,
    contributions=_correct,
    source="sklearn.metrics.accuracy_score",
)
BALANCED_ACCURACY = Metric(
    name="balanced-accuracy",
    label="balanced accuracy",
    tasks=("sequence-classification",),
    value=_balanced_accuracy,
    leave_one_out=by_counts(balanced_accuracy),
    too_few_labels=too_few_of_a_class,
    is_share=True,
    source="sklearn.metrics.balanced_accuracy_score",
)
MACRO_F1 = Metric(
    name="macro-f1",
    label="macro F1",
    tasks=("sequence-classification", "multi-label"),
    value=_macro_f1,
    leave_one_out=by_counts(lambda counts: counts.f1.mean(axis=-1)),
    too_few_labels=too_few_of_a_class,
    is_share=True,
    source="sklearn.metrics.f1_score(average='macro')",
)
MICRO_F1 = Metric(
    name="micro-f1",
    label="micro F1",
    tasks=("multi-label",),
    value=_micro_f1,
    leave_one_out=by_counts(lambda counts: counts.pooled.f1[..., 0]),
    too_few_labels=too_few_of_labels,
    is_share=True,
    source="sklearn.metrics.f1_score(average='micro')",
)
F1 = Metric(
    name="f1",
    label="F1",
    tasks=("sequence-classification",),
    value=_f1,
    leave_one_out=by_counts(lambda counts: counts.f1[..., 1]),
    too_few_labels=too_few_of_class_1,
    is_share=True,
    source="sklearn.metrics.f1_score, of class 1",
    num_classes=2,
)
MCC = Metric(
    name="mcc",
    label="Matthews correlation",
    tasks=("sequence-classification",),
    value=_mcc,
    leave_one_out=by_counts(matthews_correlation),
    too_few_labels=too_few_of_others,
    source="sklearn.metrics.matthews_corrcoef",
)
QUADRATIC_KAPPA = Metric(
    name="quadratic-kappa",
    label="quadratic weighted kappa",
    tasks=("sequence-classification",),
    value=_quadratic_kappa,
    leave_one_out=lambda examples: kappa_without_each(examples.labels, examples.predictions),
    too_few_labels=too_few_of_others,
    source="sklearn.metrics.cohen_kappa_score(weights='quadratic')",
)
