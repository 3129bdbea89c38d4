"""Whether the unfrozen baseline has learned anything, so that a comparison with it means something.

Freezing costs nothing where there was nothing to lose: a baseline that guesses would certify every configuration.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from freezebench.records.data_facts import task_of_data
from freezebench.records.run_record import data_of
from freezebench.scoring.constant_loss import cross_entropy
from freezebench.scoring.metrics import ACCURACY
from freezebench.scoring.probabilistic import ECE
from freezebench.units import counted, percent_text, with_and, with_unit
from freezebench.verdicts.above_zero import shown_above_zero
from freezebench.verdicts.classes import class_name, majority_class
from freezebench.verdicts.constant import above_constant, constant_sentence, is_of_user, shows_learning
from freezebench.verdicts.metric_values import metric_value, text_groups, too_few
from freezebench.verdicts.noninferiority import fewest_decimals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric

FaultKind = Literal["one_class", "same_seeds", "not_above_majority", "loss_not_below_frequencies"]


@dataclass(frozen=True, kw_only=True)
class BaselineFault:
    """Why a baseline is not fit to be compared with.

    Attributes:
        kind: ``one_class``: a run predicts the same for every test sentence; ``same_seeds``: runs of different seeds
            are the same; ``not_above_majority``: the metric is not shown to be better than that of a constant
            prediction, such as the most frequent class; ``loss_not_below_frequencies``: no validation loss is below
            that of a constant prediction, such as the frequencies of the training classes.
        sentence: The same with its figures, without a full stop.
        more_seeds_may_help: Whether more seeds may refute it.
    """

    kind: FaultKind
    sentence: str
    more_seeds_may_help: bool = False


def baseline_fault(records: Sequence[RunRecord], *, alpha: float, metric: Metric = ACCURACY) -> BaselineFault | None:
    """Return why completed unfrozen runs are not fit to be compared with; ``None`` if they are.

    Args:
        records: The runs, one per seed.
        alpha: One-sided error rate of the look at which they are judged.
        metric: The metric whose drop is judged.
    """
    if not records:
        return None
    return (
        one_class_fault(records, metric)
        or same_seeds_fault(records)
        or _not_above_constant(records, shows_learning(metric, task_of_data(data_of(records))), alpha=alpha)
        or _loss_not_below_constant(records)
    )


def one_class_fault(records: Sequence[RunRecord], metric: Metric = ACCURACY) -> BaselineFault | None:
    """Return the fault of runs of which one predicts the same throughout, which no further run can repair."""
    sentence = constant_sentence(records, metric)
    if sentence is None:
        return None
    return BaselineFault(
        kind="one_class", sentence="; ".join([sentence, *_share_text(records), _training_text(records)])
    )


def same_seeds_fault(records: Sequence[RunRecord]) -> BaselineFault | None:
    """Return the fault of runs whose seed had no effect.

    Equal predictions alone are none: on a small test set, sound runs often agree on every sentence. Their
    losses differ.
    """
    seeds: dict[object, list[int]] = {}
    for record in records:
        losses = tuple((epoch.train_loss, epoch.validation.loss) for epoch in record.epochs)
        trace = (record.test and record.test.predictions, record.step_losses, losses)
        seeds.setdefault(trace, []).append(record.spec.seed)
    same = next((group for group in seeds.values() if len(group) > 1), None)
    if same is None:
        return None
    return BaselineFault(
        kind="same_seeds",
        sentence=f"seeds {with_and(same)} give identical predictions and losses, as if the seed had no effect",
    )


def constant_loss(data: DataFacts, split: str) -> float | None:
    """Return the loss on a split of the best constant prediction that the training labels give.

    Args:
        data: Facts of the data set.
        split: ``train``, ``validation`` or ``test``.

    Returns:
        The loss, infinite if a class of the split is missing in training; ``None`` if it is not known.
    """
    facts = (data.splits or {}).get(split)
    if facts is not None and facts.constant_loss is not None:
        return facts.constant_loss
    return frequencies_loss(data, split) if data.task == "sequence-classification" else None


def frequencies_loss(data: DataFacts, split: str) -> float | None:
    """Return the cross-entropy, in nats, of predicting the frequencies of the training classes for every sentence.

    Args:
        data: Facts of the data set.
        split: ``train``, ``validation`` or ``test``.

    Returns:
        The loss, infinite if a class of the split is missing in training; ``None`` if the counts are not known.
    """
    if data.splits is None or not {"train", split} <= data.splits.keys():
        return None
    trained, counts = data.splits["train"].class_counts, data.splits[split].class_counts
    if not sum(trained) or not sum(counts) or len(trained) != len(counts):
        return None
    return cross_entropy(dict(enumerate(trained)), dict(enumerate(counts)))


def lead_pp(records: Sequence[RunRecord], metric: Metric = ACCURACY) -> float | None:
    """Return by how much completed runs are better than a constant prediction, in points or the metric's own unit.

    ``None`` without runs, where a constant prediction has no such metric, or of metrics that may be best without having
    learned anything: calibration, and those of users.
    """
    if not records or metric.name == ECE.name or is_of_user(metric):
        return None
    above = above_constant(records, metric)
    return None if above is None else metric.scale * float(above[0].mean())


def lead_warning(records: Sequence[RunRecord], margin_pp: float, metric: Metric) -> str | None:
    """Return a warning if freezing could lose all that valid unfrozen runs learned unnoticed; ``None``: it could not.

    Args:
        records: The runs, one per seed.
        margin_pp: Decision margin in percentage points, or the metric's own unit.
        metric: The metric whose drop is judged.
    """
    lead = lead_pp(records, metric)
    if lead is None or lead > margin_pp:
        return None
    is_accuracy = metric.name == ACCURACY.name
    constant = "always predicting one class" if is_accuracy else "a constant prediction"
    better = f"{lead:.1f} points above" if is_accuracy else f"{lead:.3g} {metric.drop_unit} better than"
    return (
        f"without freezing, {metric.label} is {better} that of {constant}, and the margin is "
        f"{with_unit(margin_pp, metric.drop_unit)}, so a model that learned nothing could be non-inferior"
    )


def lowest_validation_losses(records: Sequence[RunRecord]) -> list[float]:
    """Return the lowest validation loss over the epochs of every run that was validated."""
    losses = [[epoch.validation.loss for epoch in record.epochs] for record in records]
    finite = [list(filter(math.isfinite, of_run)) for of_run in losses]
    return [min(of_run) for of_run in finite if of_run]


def _not_above_constant(records: Sequence[RunRecord], metric: Metric, *, alpha: float) -> BaselineFault | None:
    """Return the fault of runs that are not shown to be better than the best constant prediction.

    The differences of outcomes from those of the constant prediction are a layout of seeds x sentences like any other,
    so the one-sided lower bound of ``freezebench.verdicts.crossed`` applies (adjusted by ``shown_above_zero``); with
    one seed it covers sentences only. Of accuracy they are those from the most frequent class.
    """
    if too_few(records, metric) is not None:
        return None  # every verdict says so
    above, groups = above_constant(records, metric), text_groups(records)
    if above is None:
        return None
    differences, unit = above
    if np.isin(differences, (-1.0, 0.0, 1.0)).all():
        differences, unit = differences.astype(np.int8), 1
    if shown_above_zero(differences, groups, alpha=alpha, unit=unit):
        return None
    return BaselineFault(
        kind="not_above_majority",
        sentence="; ".join([_not_above_text(records, metric), _training_text(records)]),
        # More seeds lessen the error from seeds alone: for these very seeds the sentences have to suffice.
        more_seeds_may_help=shown_above_zero(
            differences.sum(axis=0, keepdims=True), groups, alpha=alpha, unit=unit * len(differences)
        ),
    )


def _not_above_text(records: Sequence[RunRecord], metric: Metric) -> str:
    """Return that the metric of runs is not shown to be better than that of a constant prediction, with figures."""
    mean = statistics.fmean(value for record in records if (value := metric_value(record, metric)) is not None)
    over = "" if len(records) == 1 else f" over {len(records)} seeds"
    text = percent_text(mean) if metric.unit == "points" else f"{mean:.3f}"
    lead = lead_pp(records, metric) or 0.0
    size = f"{abs(lead):.{fewest_decimals(metric.drop_unit)}f} {metric.drop_unit}"
    by = f"it is {size} {'better' if lead > 0 else 'worse'}" if lead else "it is the same"
    if metric.name == ACCURACY.name and (share := _share_text(records)):
        return (
            f"its test accuracy of {text}{over} is not shown to be above that of always predicting one class ({by}): "
            f"{share[0]}"
        )
    return (
        f"its test {metric.label} of {text}{over} is not shown to be better than that of the best constant prediction "
        f"({by})"
    )


def _loss_not_below_constant(records: Sequence[RunRecord]) -> BaselineFault | None:
    """Return the fault of runs whose validation loss never fell below that of a constant prediction."""
    data = data_of(records)
    limit = None if data is None else constant_loss(data, "validation")
    losses = lowest_validation_losses(records)
    # Records of early versions have no counts of classes.
    if data is None or limit is None or not losses or min(losses) < limit:
        return None
    is_classified = data.task == "sequence-classification"
    what = "predicting the frequencies of the training classes" if is_classified else "the best constant prediction"
    return BaselineFault(
        kind="loss_not_below_frequencies",
        sentence=(
            f"its validation loss never fell below {limit:.3f}, that of {what}: the lowest is {min(losses):.3f}; "
            f"{_training_text(records)}"
        ),
    )


def _share_text(records: Sequence[RunRecord]) -> list[str]:
    """Return the most frequent class of the test split and its share, if every test sentence has one class."""
    data = next(record.data for record in records if record.data)
    if data.task != "sequence-classification":
        return []
    return [f"{class_name(data, majority_class(data))} has {percent_text(data.majority_share)} of the test sentences"]


def _training_text(records: Sequence[RunRecord]) -> str:
    """Return the learning rate and the number of epochs of the runs."""
    protocol = records[0].spec.protocol
    return f"trained for {counted(protocol.num_epochs, 'epoch')} at the rate {protocol.learning_rate:g}"
