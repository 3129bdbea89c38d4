"""Whether the unfrozen baseline has learned anything, so that a comparison with it means something.

Freezing costs nothing where there was nothing to lose: a baseline that guesses would certify every configuration.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from freezebench.units import percent_text
from freezebench.verdicts.classes import (
    class_name,
    joined,
    majority_class,
    one_class_sentence,
    shown_above_zero,
    text_groups,
)
from freezebench.verdicts.mean_squares import outcome_differences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import RunRecord

FaultKind = Literal["one_class", "same_seeds", "not_above_majority", "loss_not_below_frequencies"]


@dataclass(frozen=True, kw_only=True)
class BaselineFault:
    """Why a baseline is not fit to be compared with.

    Attributes:
        kind: ``one_class``: a run predicts one class for every test sentence; ``same_seeds``: runs of different seeds
            are the same; ``not_above_majority``: the accuracy is not shown to be above that of always predicting the
            most frequent class; ``loss_not_below_frequencies``: no validation loss is below that of predicting the
            frequencies of the training classes.
        sentence: The same with its figures, without a full stop.
        more_seeds_may_help: Whether more seeds may refute it.
    """

    kind: FaultKind
    sentence: str
    more_seeds_may_help: bool = False


def baseline_fault(records: Sequence[RunRecord], *, alpha: float) -> BaselineFault | None:
    """Return why completed unfrozen runs are not fit to be compared with; ``None`` if they are.

    Args:
        records: The runs, one per seed.
        alpha: One-sided error rate of the look at which they are judged.
    """
    if not records:
        return None
    return (
        one_class_fault(records)
        or same_seeds_fault(records)
        or _not_above_majority(records, alpha=alpha)
        or _loss_not_below_frequencies(records)
    )


def one_class_fault(records: Sequence[RunRecord]) -> BaselineFault | None:
    """Return the fault of runs of which one predicts a single class, which no further run can repair."""
    sentence = one_class_sentence(records)
    if sentence is None:
        return None
    return BaselineFault(kind="one_class", sentence=f"{sentence}; {_share_text(records)}; {_training_text(records)}")


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
        sentence=f"seeds {joined(same)} give identical predictions and losses, as if the seed had no effect",
    )


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
    if any(count and not of_train for count, of_train in zip(counts, trained, strict=True)):
        return math.inf
    logs = (count * math.log(of_train / sum(trained)) for count, of_train in zip(counts, trained, strict=True) if count)
    return -sum(logs) / sum(counts)


def lead_pp(records: Sequence[RunRecord]) -> float | None:
    """Return by how many percentage points completed runs are more accurate than the most frequent class."""
    return 100 * float(_above_majority(records).mean()) if records else None


def lowest_validation_losses(records: Sequence[RunRecord]) -> list[float]:
    """Return the lowest validation loss over the epochs of every run that was validated."""
    losses = [[epoch.validation.loss for epoch in record.epochs] for record in records]
    finite = [list(filter(math.isfinite, of_run)) for of_run in losses]
    return [min(of_run) for of_run in finite if of_run]


def _not_above_majority(records: Sequence[RunRecord], *, alpha: float) -> BaselineFault | None:
    """Return the fault of runs that are not shown to be more accurate than always predicting the most frequent class.

    The differences of outcomes from those of the most frequent class are a layout of seeds x sentences like any other,
    so the one-sided lower bound of ``freezebench.verdicts.crossed`` applies (adjusted by ``shown_above_zero``); with
    one seed it covers sentences only.
    """
    differences, groups = _above_majority(records), text_groups(records)
    if shown_above_zero(differences, groups, alpha=alpha):
        return None
    accuracies = [value for record in records if (value := record.value("accuracy")) is not None]
    mean = f"{percent_text(statistics.fmean(accuracies))}{'' if len(records) == 1 else f' over {len(records)} seeds'}"
    return BaselineFault(
        kind="not_above_majority",
        sentence=(
            f"its test accuracy of {mean} is not shown to be above that of always predicting one class "
            f"({lead_pp(records):+.1f} points): {_share_text(records)}; {_training_text(records)}"
        ),
        # More seeds lessen the error from seeds alone: for these very seeds the sentences have to suffice.
        more_seeds_may_help=shown_above_zero(
            differences.sum(axis=0, keepdims=True), groups, alpha=alpha, unit=len(differences)
        ),
    )


def _above_majority(records: Sequence[RunRecord]) -> NDArray[np.int8]:
    """Return by how much each outcome is better than that of the most frequent class, shape (seeds, sentences)."""
    correct = np.array([record.test_correct for record in records], dtype=np.bool_)
    data = next(record.data for record in records if record.data)
    is_majority = np.array(data.test_labels) == majority_class(data)
    return outcome_differences(correct, np.broadcast_to(is_majority, correct.shape))


def _loss_not_below_frequencies(records: Sequence[RunRecord]) -> BaselineFault | None:
    """Return the fault of runs whose validation loss never fell below that of the class frequencies."""
    data = next((record.data for record in records if record.data), None)
    limit = None if data is None else frequencies_loss(data, "validation")
    losses = lowest_validation_losses(records)
    # Records of early versions have no counts of classes.
    if limit is None or not losses or min(losses) < limit:
        return None
    return BaselineFault(
        kind="loss_not_below_frequencies",
        sentence=(
            f"its validation loss never fell below {limit:.3f}, that of predicting the frequencies of the training "
            f"classes: the lowest is {min(losses):.3f}; {_training_text(records)}"
        ),
    )


def _share_text(records: Sequence[RunRecord]) -> str:
    """Return the most frequent class of the test split and its share."""
    data = next(record.data for record in records if record.data)
    return f"{class_name(data, majority_class(data))} has {percent_text(data.majority_share)} of the test sentences"


def _training_text(records: Sequence[RunRecord]) -> str:
    """Return the learning rate and the number of epochs of the runs."""
    protocol = records[0].spec.protocol
    epochs = f"{protocol.num_epochs} epoch{'' if protocol.num_epochs == 1 else 's'}"
    return f"trained for {epochs} at the rate {protocol.learning_rate:g}"
