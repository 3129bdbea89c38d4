"""Metrics of scores of classes: the area under the ROC curve, log loss and calibration error."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import numpy as np

from freezebench.scoring.few import too_few_for_calibration, too_few_misranked, too_few_ranked
from freezebench.scoring.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def _aurocs_without_each(examples: Examples) -> Values:
    """Return the AUROC without one example each, by placement values (DeLong, DeLong and Clarke-Pearson 1988).

    The AUROC is ``S / (P N)``, for the sum ``S`` of how many of ``N`` negative examples each of ``P`` positive ones is
    ranked above, equal ranks counting a half. Without a positive one, its number leaves the sum, and likewise for a
    negative one. Without the only one of a class, that class has no AUROC.
    """
    n = len(examples)
    totals, counts = np.zeros(n), np.zeros(n)
    for is_positive, ranks in _rankings(examples):
        placements = np.empty(n)
        placements[is_positive] = _num_below(ranks[is_positive], ranks[~is_positive])
        placements[~is_positive] = _num_below(-ranks[~is_positive], -ranks[is_positive])
        num_positive = is_positive.sum()
        num_pairs = (num_positive - is_positive) * (n - num_positive - ~is_positive)
        values = (placements[is_positive].sum() - placements) / np.maximum(num_pairs, 1)
        totals += np.where(num_pairs > 0, values, 0.0)
        counts += num_pairs > 0
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def _num_below(ranks: Values, others: Values) -> Values:
    """Return how many of the others are below each rank, equal ones counting a half."""
    ordered = np.sort(others)
    below, up_to = np.searchsorted(ordered, ranks, "left"), np.searchsorted(ordered, ranks, "right")
    numbers: Values = (below + up_to) / 2
    return numbers


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


def _gaps(examples: Examples) -> tuple[Values, Values, NDArray[np.int64]]:
    """Return of every bin the sum of errors, of every example its error, and the bin that it is in.

    The error is 1 if the prediction is right, else 0, less the confidence.
    """
    from scipy.stats import binned_statistic

    probabilities = _probabilities(examples)
    confidences = probabilities.max(axis=1)
    errors = (examples.predictions == examples.labels) - confidences
    bins = binned_statistic(confidences, errors, "sum", bins=_NUM_BINS, range=(0, 1))
    gaps: Values = np.asarray(bins.statistic, dtype=np.float64)
    return gaps, errors, np.asarray(bins.binnumber, dtype=np.int64) - 1  # bin 0 is below the range


def _ece(examples: Examples) -> float:
    """Return the mean gap of confidence and accuracy over 15 bins of equal width (Guo et al. 2017, equation 3)."""
    gaps, _, _ = _gaps(examples)
    return float(np.abs(gaps).sum() / len(examples))


def _eces_without_each(examples: Examples) -> Values:
    """Return the calibration error without one example each, which changes the gap of its own bin alone."""
    gaps, errors, bin_of = _gaps(examples)
    own = gaps[bin_of]
    totals: Values = np.abs(gaps).sum() - np.abs(own) + np.abs(own - errors)
    return totals / (len(examples) - 1)


def _too_few_for_calibration(runs: Sequence[Examples], values: Iterable[float]) -> str | None:
    """Return how many examples there are, if bins of so few have gaps by chance that explain some run's."""
    for examples, ece in zip(runs, values, strict=True):
        confidences = _probabilities(examples).max(axis=1)
        gaps, _, bin_of = _gaps(examples)
        variances = np.bincount(bin_of, confidences * (1 - confidences), len(gaps))
        few = too_few_for_calibration(examples, ece, np.sqrt(variances) / len(examples))
        if few is not None:
            return few
    return None


AUROC = Metric(
    name="auroc",
    label="AUROC",
    tasks=("sequence-classification", "multi-label"),
    value=_auroc,
    leave_one_out=_aurocs_without_each,
    uses="scores",
    is_share=True,
    too_few_labels=too_few_ranked,
    too_few_outputs=lambda runs, values: too_few_misranked(runs[0], statistics.fmean(values)),
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
    leave_one_out=_eces_without_each,
    too_few_outputs=_too_few_for_calibration,
    uses="scores",
    higher_is_better=False,
    source=f"Guo et al. (2017), {_NUM_BINS} bins of equal width by scipy.stats.binned_statistic",
)
