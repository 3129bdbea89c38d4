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
from freezebench.records.entities import entity_f1
from freezebench.records.run_record import RunRecord
from freezebench.specs.fields import brief
from freezebench.units import number_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from freezebench.records.data_facts import DataFacts, SetFacts
    from freezebench.records.run_record import Evaluation
    from freezebench.specs.names import TaskName

_ROUNDING = 1e-6
# What the labels of a test set are of, and what predictions are for, in messages.
_ROWS: dict[TaskName, str] = {
    "sequence-classification": "sentences",
    "multi-label": "sentences and labels",
    "token-classification": "words",
}
_LABELLED = {task: f"test {rows}" for task, rows in _ROWS.items()}
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
    data, own = record.data, record.data.of_test_set()
    for facts in (own, *data.test_sets):
        yield from _of_test_set(facts, data)
    yield from _of_splits(data)
    known = {facts.name: facts for facts in data.test_sets}
    unknown = next((name for name in record.tests if name not in known), None)
    if unknown is not None:
        yield f"it was evaluated on {brief(unknown)}, which is none of its test sets"
        return
    evaluations: list[tuple[str, Evaluation | None, SetFacts]]
    evaluations = [("test", record.test, own), ("test_before", record.test_before, own)]
    evaluations += [(f"test set {name}", evaluation, known[name]) for name, evaluation in record.tests.items()]
    for name, evaluation, facts in evaluations:
        if evaluation is not None:
            yield from _of_evaluation(name, evaluation, data, facts)
    yield from _of_training(record)
    num_trained, num_params = record.num_trainable_params, record.num_params
    if num_trained is not None and num_params is not None and not 0 <= num_trained <= num_params:
        yield f"{num_trained} of {num_params} parameters train"


def _of_test_set(facts: SetFacts, data: DataFacts) -> Iterator[str]:
    """Yield what disagrees in the facts of a test set."""
    num_labels, what = len(data.label_names), f"test set {facts.name}" if facts.name else "test"
    if data.task == "regression":
        if len(facts.test_values or ()) != facts.num_test or facts.test_labels:
            yield f"{len(facts.test_values or ())} numbers of {facts.num_test} {what} sentences"
    else:
        num_expected = facts.num_rows * (num_labels if data.task == "multi-label" else 1)
        if len(facts.test_labels) != num_expected:
            yield f"{len(facts.test_labels)} labels of {num_expected} {what} {_ROWS[data.task]}"
        num_values = 2 if data.task == "multi-label" else num_labels
        if not all(0 <= label < num_values for label in facts.test_labels):
            yield f"a {what} label that is none of the {num_values} classes"
    if data.task == "token-classification":
        lengths = facts.test_lengths or ()
        if len(lengths) != facts.num_test or not all(length > 0 for length in lengths):
            yield f"numbers of words of {len(lengths)} of {facts.num_test} {what} sentences"
    elif facts.test_lengths is not None:
        yield f"numbers of words of {what} sentences, which token classification alone has"
    yield from _of_groups_and_slices(facts, what)


def _of_groups_and_slices(facts: SetFacts, what: str) -> Iterator[str]:
    """Yield what disagrees in the groups and slices of a test set, which messages call ``what``."""
    if facts.test_groups is not None and len(facts.test_groups) != facts.num_test:
        yield f"texts of {len(facts.test_groups)} of {facts.num_test} {what} sentences"
    slices = facts.test_slices
    if slices is not None and len(slices) != facts.num_test:
        yield f"slices of {len(slices)} of {facts.num_test} {what} sentences"
    if slices is not None and not all(0 <= number < len(facts.slice_names) for number in slices):
        yield f"a slice of {what} that is none of the {len(facts.slice_names)} slices"


def _of_splits(data: DataFacts) -> Iterator[str]:
    """Yield what disagrees in the statistics of the splits."""
    sizes = {"train": data.num_train, "validation": data.num_validation, "test": data.num_test}
    for name, facts in (data.splits or {}).items():
        total = sum(facts.class_counts)
        if data.task == "sequence-classification" and total != sizes.get(name):
            yield f"classes of {total} of {sizes.get(name)} {name} sentences"
        if data.task == "multi-label" and max(facts.class_counts, default=0) > sizes.get(name, 0):
            yield f"a label of {max(facts.class_counts)} of {sizes.get(name)} {name} sentences"
    if data.splits is not None and "test" in data.splits and data.task != "regression":
        num_labels = len(data.label_names)
        labels = Counter(data.test_labels)
        if data.task == "multi-label":  # the label that a 1 is of is told by its place
            labels = Counter(place % num_labels for place, label in enumerate(data.test_labels) if label)
        if data.splits["test"].class_counts != tuple(labels[label] for label in range(num_labels)):
            yield "the class counts of test are not those of its labels"


def _of_evaluation(name: str, evaluation: Evaluation, data: DataFacts, facts: SetFacts) -> Iterator[str]:
    """Yield what disagrees between predictions, labels and scores."""
    if not facts.num_test:
        yield "no test sentences"
        return
    if not (math.isfinite(evaluation.loss) and evaluation.loss >= 0):
        yield f"the loss of {name} is {evaluation.loss}"
    if evaluation.scores is not None:
        try:
            if _predicted(evaluation.scores, data, facts) != evaluation.predictions:
                yield f"the predictions of {name} are not those that its scores give"
        except RecordError as error:
            yield f"the scores of {name}: {error}"
    labels, predictions = facts.test_labels, evaluation.predictions
    if data.task == "regression":
        if predictions or evaluation.accuracy is not None or evaluation.f1 is not None:
            yield f"{name} has classes, accuracy or F1, and numbers have none"
        return
    if len(predictions) != len(labels):
        yield f"{len(predictions)} predictions of {name} for {len(labels)} {_LABELLED[data.task]}"
        return
    num_values = 2 if data.task == "multi-label" else len(data.label_names)
    if not all(prediction in range(num_values) for prediction in predictions):
        yield f"a prediction of {name} that is none of the {num_values} classes"
        return
    yield from _of_figures(name, evaluation, data, facts)


def _of_figures(name: str, evaluation: Evaluation, data: DataFacts, facts: SetFacts) -> Iterator[str]:
    """Yield accuracy and F1 if they are not those of the predictions."""
    labels, predictions, num_labels = facts.test_labels, evaluation.predictions, len(data.label_names)
    from freezebench.scoring.entities import are_entity_tags  # brings numpy

    f1: float | None
    width = 1
    if data.task == "multi-label":
        width = num_labels
        own = [(labels[number::width], predictions[number::width]) for number in range(width)]
        f1 = statistics.fmean(f1_by_class(*of_label, (1,))[0] for of_label in own)
    elif data.task == "token-classification":
        is_tagged = are_entity_tags(data.label_names)
        f1 = entity_f1(labels, predictions, facts.test_lengths or (), data.label_names) if is_tagged else None
    else:
        f1 = f1_score(labels, predictions, num_labels)
    starts = range(0, len(labels), width)
    right = sum(labels[start : start + width] == predictions[start : start + width] for start in starts)
    accuracy = right / max(len(starts), 1)
    if evaluation.accuracy is None or not abs(accuracy - evaluation.accuracy) < _ROUNDING:
        stated = number_text(evaluation.accuracy, 4)
        yield f"the accuracy of {name} is {stated}, and its predictions give {accuracy:.4f}"
    is_missing = f1 is None or evaluation.f1 is None
    if (is_missing and f1 is not evaluation.f1) or not abs((f1 or 0.0) - (evaluation.f1 or 0.0)) < _ROUNDING:
        yield f"the F1 of {name} is {number_text(evaluation.f1, 4)}, and its predictions give {number_text(f1, 4)}"


def _predicted(scores: str, data: DataFacts, facts: SetFacts) -> tuple[int, ...]:
    """Return the classes that scores give.

    Raises:
        RecordError: If they are damaged, or of another size.
    """
    from freezebench.records.scores import unpack_scores

    unpacked = unpack_scores(scores, facts.num_rows, len(data.label_names))
    if data.task == "regression":
        return ()
    if data.task == "multi-label":
        return tuple((unpacked > 0).astype(int).flatten().tolist())
    return tuple(unpacked.argmax(axis=1).tolist())


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
