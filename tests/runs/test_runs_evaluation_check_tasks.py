"""The checks of data, batches and evaluations on every task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from freezebench.models.load import load_model
from freezebench.runs.evaluation_check import Reevaluation, check_data
from freezebench.runs.training_check import check_batches
from freezebench.runs.weights import UnsoundRunError
from freezebench.specs.names import TASKS, TaskName
from freezebench.specs.run import Protocol
from freezebench.training.batches.encoding import Encoded, encode
from freezebench.training.engines.evaluate import class_scores, evaluation_of
from freezebench.training.engines.job import Job
from task_data import NAMES, split

_LENGTH = 10
_NUM = 20


@pytest.fixture
def loaded(request: pytest.FixtureRequest, tiny_model: Path) -> tuple[Any, Any, Encoded]:
    """A model of the task with larger weights, its tokenizer, and tokenized sentences; some words are cut off."""
    task: TaskName = request.getfixturevalue("task")
    torch.manual_seed(0)
    model, tokenizer = load_model(str(tiny_model), len(NAMES[task]), task=task)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5.0)
    return model, tokenizer, encode(split(task, _NUM), tokenizer, model, _LENGTH)


def _check(loaded: tuple[Any, Any, Encoded], task: TaskName, **changes: Any) -> tuple[str, ...]:
    """Evaluate once, change the evaluation, or the scores that it is from, and check it."""
    model, tokenizer, data = loaded
    scores = class_scores(model, data, tokenizer, num_labels=len(NAMES[task]), precision="float32")
    change_scores = changes.pop("change_scores", lambda unchanged: unchanged)
    evaluation = evaluation_of(change_scores(scores), data, NAMES[task], keep_scores=True)
    again = Reevaluation(model, tokenizer, split(task, _NUM), precision="float32", max_length=_LENGTH)
    return again.check(replace(evaluation, **changes), change_scores(scores))


@pytest.mark.parametrize("task", TASKS)
def test_a_right_evaluation_passes(loaded: tuple[Any, Any, Encoded], task: TaskName) -> None:
    """Words that are cut off have no scores to be compared."""
    assert bool(loaded[2].unscored_rows) is (task == "token-classification")
    assert _check(loaded, task) == ()


@pytest.mark.parametrize("task", TASKS)
def test_scores_of_other_rows_are_found(loaded: tuple[Any, Any, Encoded], task: TaskName) -> None:
    """Sentences or words in another order, and missing scores."""
    with pytest.raises(UnsoundRunError, match="and their scores differ from the first evaluation"):
        _check(loaded, task, change_scores=lambda scores: scores.roll(1, dims=0))
    unit = "words" if task == "token-classification" else "sentences"
    with pytest.raises(UnsoundRunError, match=f"1 test {unit} have no scores, or none that are finite"):
        _check(loaded, task, change_scores=lambda scores: scores.index_fill(0, torch.tensor([3]), torch.nan))


@pytest.mark.parametrize("task", ["multi-label", "token-classification"])
def test_predictions_have_to_follow_from_scores(loaded: tuple[Any, Any, Encoded], task: TaskName) -> None:
    """Every word, and every label of a sentence; so does the accuracy."""
    model, tokenizer, data = loaded
    scores = class_scores(model, data, tokenizer, num_labels=len(NAMES[task]), precision="float32")
    right = evaluation_of(scores, data, NAMES[task]).predictions
    wrong = (1 - min(right[0], 1), *right[1:])
    with pytest.raises(UnsoundRunError, match="1 predictions do not follow from the scores of the model"):
        _check(loaded, task, predictions=wrong)
    with pytest.raises(UnsoundRunError, match=r"were evaluated, and the test split has"):
        _check(loaded, task, predictions=right[:-1])
    with pytest.raises(UnsoundRunError, match="the test accuracy is given as"):
        _check(loaded, task, accuracy=1.5)


@pytest.mark.parametrize("task", ["regression"])
def test_numbers_have_no_predictions_but_their_scores(loaded: tuple[Any, Any, Encoded], task: TaskName) -> None:
    """Which are compared with what is recorded."""
    with pytest.raises(UnsoundRunError, match="the scores in the record are not those of the model"):
        _check(loaded, task, scores="AAAA")


@pytest.mark.parametrize("task", TASKS)
def test_labels_of_batches_have_to_be_those_of_the_data(loaded: tuple[Any, Any, Encoded], task: TaskName) -> None:
    """Of all sentences, or of all their words."""
    model, tokenizer, data = loaded
    own = split(task, _NUM)

    def again(some: Any) -> Encoded:
        return encode(some, tokenizer, model, _LENGTH)

    check_data({"test": own}, {"test": data}, again)
    labels = [example["labels"] for example in data.examples]
    examples = [
        {**example, "labels": label} for example, label in zip(data.examples, labels[1:] + labels, strict=False)
    ]
    for wrong in (replace(data, examples=tuple(examples)), replace(data, labels=data.labels[::-1])):
        with pytest.raises(UnsoundRunError, match="the labels of the test sentences are not those of the data"):
            check_data({"test": own}, {"test": wrong}, again)


@pytest.mark.parametrize("task", TASKS)
def test_batches_hold_training_sentences_with_their_labels(loaded: tuple[Any, Any, Encoded], task: TaskName) -> None:
    """With padding, and numbers rounded to the format of batches."""
    model, tokenizer, data = loaded
    unused: Any = None
    job = Job(
        model=model,
        tokenizer=tokenizer,
        train=data,
        protocol=Protocol(batch_size=4),
        precision="float32",
        seed=1,
        names=frozenset(),
        epochs=range(1),
        evaluate=unused,
    )
    assert check_batches(job, data) == ()
    with pytest.raises(UnsoundRunError, match="a batch does not consist of training sentences"):
        check_batches(job, encode(split(task, _NUM, 5), tokenizer, model, _LENGTH))
