"""Metrics of scores of classes: the area under the ROC curve, log loss and calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freezebench.scoring.metric import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Values

_NUM_BINS = 15
_BINARY = 2
# Probabilities are clipped as sklearn.metrics.log_loss clips them, so that an error of any confidence is finite.
_SMALLEST = float(np.finfo(np.float64).eps)


def _probabilities(examples: Examples) -> Values:
    """Return the probability of every class, or of every label, shape (examples, classes)."""
    from scipy.special import expit, softmax

    scores = examples.required_scores
    probabilities: Values = expit(scores) if examples.task == "multi-label" else softmax(scores, axis=1)
    return probabilities


def _rankings(examples: Examples) -> list[tuple[NDArray[np.bool_], Values]]:
    """Return which examples are of a class and how high each is ranked, for every class that has an AUROC.

    These are class 1 of two classes, and of more, or of several labels, each that some examples have and others not.
    """
    if examples.task == "multi-label":
        is_positive, ranks = examples.labels > 0, examples.required_scores
    else:
        is_positive = examples.labels[:, None] == np.arange(len(examples.label_names))
        ranks = _probabilities(examples)
        if len(examples.label_names) == _BINARY:
            scores = examples.required_scores
            is_positive, ranks = is_positive[:, 1:], scores[:, 1:] - scores[:, :1]
    is_defined = is_positive.any(axis=0) & ~is_positive.all(axis=0)
    return [(is_positive[:, number], ranks[:, number]) for number in np.flatnonzero(is_defined)]


def _auroc(examples: Examples) -> float:
    from sklearn.metrics import roc_auc_score

    values = [float(roc_auc_score(is_positive, ranks)) for is_positive, ranks in _rankings(examples)]
    return float(np.mean(values)) if values else float("nan")


def _log_losses(examples: Examples) -> Values:
    """Return the negative logarithm of the probability of every example's class; of several labels, their mean."""
    probabilities = np.clip(_probabilities(examples), _SMALLEST, 1 - _SMALLEST)
    if examples.task == "multi-label":
        losses: Values = -np.log(np.where(examples.labels > 0, probabilities, 1 - probabilities)).mean(axis=1)
        return losses
    chosen: Values = -np.log(probabilities[np.arange(len(examples)), examples.labels])
    return chosen


def _log_loss(examples: Examples) -> float:
    from sklearn.metrics import log_loss

    probabilities = _probabilities(examples)
    if examples.task == "multi-label":
        columns = zip(examples.labels.T, probabilities.T, strict=True)
        return float(np.mean([log_loss(labels, column, labels=[0, 1]) for labels, column in columns]))
    return float(log_loss(examples.labels, probabilities, labels=np.arange(len(examples.label_names))))


def _confidence_errors(examples: Examples) -> tuple[Values, Values]:
    """Return the confidence of every prediction, and whether it is right less that confidence."""
    probabilities = _probabilities(examples)
    confidences = probabilities.max(axis=1)
    return confidences, (probabilities.argmax(axis=1) == examples.labels) - confidences


def _ece(examples: Examples) -> float:
    """Return the mean gap of confidence and accuracy over 15 bins of equal width (Guo et al. 2017, equation 3)."""
    from scipy.stats import binned_statistic

    confidences, errors = _confidence_errors(examples)
    gaps = binned_statistic(confidences, errors, "sum", bins=_NUM_BINS, range=(0, 1)).statistic
    return float(np.abs(gaps).sum() / len(examples))


AUROC = Metric(
    name="auroc",
    label="AUROC",
    tasks=("sequence-classification", "multi-label"),
    value=_auroc,
    uses="scores",
    source="sklearn.metrics.roc_auc_score; of more classes, or several labels, the mean of each against the others",
)
LOG_LOSS = Metric(
    name="log-loss",
    label="log loss",
    tasks=("sequence-classification", "multi-label"),
    value=_log_loss,
    contributions=_log_losses,
    unit="nats",
    uses="scores",
    higher_is_better=False,
    source="sklearn.metrics.log_loss; of several labels the mean over labels",
)
ECE = Metric(
    name="ece",
    label="calibration error",
    tasks=("sequence-classification",),
    value=_ece,
    uses="scores",
    higher_is_better=False,
    source=f"Guo et al. (2017), {_NUM_BINS} bins of equal width by scipy.stats.binned_statistic",
)
