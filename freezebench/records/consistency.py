"""Records from files: what they state twice has to agree, whatever the checksum of the file.

A checksum shows that a file is as it was written, not that a run gave these figures. So figures that follow from others
are computed again: accuracy and F1 from predictions and labels, the best epoch from the losses of the epochs.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import TYPE_CHECKING

from freezebench.errors import RecordError
from freezebench.records.run_record import RunRecord
from freezebench.specs.fields import brief
from freezebench.units import number_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import Evaluation

_ROUNDING = 1e-6
# Losses of steps are kept in float32, and their mean is computed in float32.
_LOSS_ROUNDING = 1e-4


def read_record(data: object) -> RunRecord:
    """Return a record from its JSON form.

    Raises:
        RecordError: If it is no record of a known schema, or a completed one that contradicts itself.
    """
    record = RunRecord.from_json(data)
    if record.is_valid:
        contradiction = next(_contradictions(record), None)
        if contradiction is not None:
            raise RecordError(f"it contradicts itself: {contradiction}")
    return record


def f1_score(labels: Sequence[int], predictions: Sequence[int], num_labels: int) -> float:
    """Return F1 of class 1 for two classes, else the unweighted mean of every class's F1 (macro).

    It is not the function that runs are evaluated with, so that a fault in one of them is found.
    """
    classes = range(num_labels) if num_labels > 2 else (1,)  # noqa: PLR2004 - binary or not
    return statistics.fmean(f1_by_class(labels, predictions, classes))


def f1_by_class(labels: Sequence[int], predictions: Sequence[int], classes: Iterable[int]) -> list[float]:
    """Return F1 = 2 TP / (2 TP + FP + FN) of some classes; one that neither occurs nor is predicted counts 0."""
    hits = Counter(label for label, prediction in zip(labels, predictions, strict=True) if label == prediction)
    labelled, predicted = Counter(labels), Counter(predictions)
    return [2 * hits[label] / max(labelled[label] + predicted[label], 1) for label in classes]


def _contradictions(record: RunRecord) -> Iterator[str]:
    """Yield what disagrees in a completed run."""
    if record.data is None:
        return
    yield from _of_data(record.data)
    for name, evaluation in (("test", record.test), ("test_before", record.test_before)):
        if evaluation is not None:
            yield from _of_evaluation(name, evaluation, record.data)
    yield from _of_training(record)
    num_trained, num_params = record.num_trainable_params, record.num_params
    if num_trained is not None and num_params is not None and not 0 <= num_trained <= num_params:
        yield f"{num_trained} of {num_params} parameters train"


def _of_data(data: DataFacts) -> Iterator[str]:
    """Yield what disagrees in the facts of a data set."""
    num_labels = len(data.label_names)
    if len(data.test_labels) != data.num_test:
        yield f"{len(data.test_labels)} labels of {data.num_test} test sentences"
    if not all(0 <= label < num_labels for label in data.test_labels):
        yield f"a test label that is none of the {num_labels} classes"
    if data.test_groups is not None and len(data.test_groups) != data.num_test:
        yield f"texts of {len(data.test_groups)} of {data.num_test} test sentences"
    sizes = {"train": data.num_train, "validation": data.num_validation, "test": data.num_test}
    for name, facts in (data.splits or {}).items():
        if sum(facts.class_counts) != sizes.get(name):
            yield f"classes of {sum(facts.class_counts)} of {sizes.get(name)} {name} sentences"
    if data.splits is not None and "test" in data.splits:
        labels = Counter(data.test_labels)
        if data.splits["test"].class_counts != tuple(labels[label] for label in range(num_labels)):
            yield "the class counts of test are not those of its labels"


def _of_evaluation(name: str, evaluation: Evaluation, data: DataFacts) -> Iterator[str]:
    """Yield what disagrees between predictions, labels and scores."""
    labels, predictions, num_labels = data.test_labels, evaluation.predictions, len(data.label_names)
    if not labels:
        yield "no test sentences"
        return
    if len(predictions) != len(labels):
        yield f"{len(predictions)} predictions of {name} for {len(labels)} test sentences"
        return
    if not all(prediction in range(num_labels) for prediction in predictions):
        yield f"a prediction of {name} that is none of the {num_labels} classes"
    accuracy = sum(label == prediction for label, prediction in zip(labels, predictions, strict=True)) / len(labels)
    if evaluation.accuracy is None or not abs(accuracy - evaluation.accuracy) < _ROUNDING:
        stated = number_text(evaluation.accuracy, 4)
        yield f"the accuracy of {name} is {stated}, and its predictions give {accuracy:.4f}"
    f1 = f1_score(labels, predictions, num_labels)
    if evaluation.f1 is None or not abs(f1 - evaluation.f1) < _ROUNDING:
        yield f"the F1 of {name} is {number_text(evaluation.f1, 4)}, and its predictions give {f1:.4f}"
    if not (math.isfinite(evaluation.loss) and evaluation.loss >= 0):
        yield f"the loss of {name} is {evaluation.loss}"


def _of_training(record: RunRecord) -> Iterator[str]:
    """Yield what disagrees in steps and epochs."""
    epochs, losses = record.epochs, record.step_losses
    numbers = [epoch.epoch for epoch in epochs]
    num_epochs = record.spec.protocol.num_epochs
    if len(numbers) != num_epochs or numbers != list(range(1, num_epochs + 1)):  # a number may be any, a list may not
        yield f"epochs {brief(numbers)} of {num_epochs}"
        return
    if not all(map(math.isfinite, losses)):
        yield "a loss of a completed run is not finite"
    validation = [epoch.validation.loss for epoch in epochs]
    if not all(math.isfinite(loss) and loss >= 0 for loss in (*validation, *(epoch.train_loss for epoch in epochs))):
        yield "a loss of an epoch is negative or not finite"
    scores = [score for epoch in epochs for score in (epoch.validation.accuracy, epoch.validation.f1)]
    if not all(score is None or 0 <= score <= 1 for score in scores):
        yield "an accuracy or F1 on validation is no share"
    # The first of equal losses is the best.
    if record.best_epoch != 1 + validation.index(min(validation)):
        yield f"best epoch {record.best_epoch}, and the losses on validation are least after another one"
    num_steps, rest = divmod(len(losses), len(epochs))
    if rest or not num_steps:
        yield f"{len(losses)} steps of {len(epochs)} epochs"
        return
    for number, epoch in enumerate(epochs):
        mean = sum(losses[number * num_steps : (number + 1) * num_steps]) / num_steps
        if not abs(mean - epoch.train_loss) <= _LOSS_ROUNDING * max(1.0, abs(mean)):
            yield f"the training loss of epoch {epoch.epoch} is {epoch.train_loss:.4f}, and its steps give {mean:.4f}"
